/** Where `colink dev` keeps what belongs to a checkout, relative to the working directory. */
export const DATA_DIR = '.colink';
