/** An emoji of the picker: its name, and further words that find it. */
export interface Emoji {
  readonly emoji: string;
  readonly name: string;
  readonly words: string;
}

/** Emoji, name, further words. The first ones are those that reactions use most. */
const LINES = `
👍 thumbs up, yes like good agree +1
❤️ heart, love
😂 laughing, lol funny tears joy
🎉 party, celebrate hooray congratulations tada
😮 surprised, wow open mouth
😢 sad, cry tear sorry
👀 eyes, look see watching
✅ done, check tick yes complete
🙏 thank you, thanks please pray
🔥 fire, hot lit
👎 thumbs down, no dislike bad -1
🚀 rocket, ship launch fast
😀 grin, happy smile
🙂 smile, happy
😉 wink, joke
😍 heart eyes, love adore
😎 cool, sunglasses
🤔 thinking, hmm wonder
😅 sweat smile, phew nervous
😭 sobbing, cry loudly
😡 angry, mad rage
😱 scream, shock fear
😴 asleep, sleep tired zzz
🤯 mind blown, exploding head
🥳 partying face, birthday celebrate
🤗 hug, warm
🤞 fingers crossed, luck hope
🙃 upside down, irony silly
😬 grimace, awkward
🙄 eye roll, whatever
😇 halo, angel innocent
🤒 ill, sick fever thermometer
🤕 hurt, injured bandage
🤧 sneeze, cold sick
😷 mask, sick
🥱 yawn, tired bored
🤝 handshake, deal agree
👏 applause, clap bravo well done
🙌 raised hands, praise hooray
💪 strong, muscle
👋 wave, hello hi bye
👌 okay, ok perfect
✌️ peace, victory
☝️ point up, one
👉 point right, this
🫡 salute, yes sir
🤷 shrug, dunno
🤦 facepalm, oh no
💯 hundred, perfect agree
⭐ star, favourite
✨ sparkles, new shiny
💡 idea, light bulb
⚡ fast, lightning
⏳ waiting, hourglass later
⏰ alarm, clock time
❗ exclamation, important
❓ question, what
❌ no, cross wrong
⚠️ warning, careful
🚨 alert, siren incident
🛑 stop, halt
🚧 in progress, construction work
🐛 bug, insect error
🔧 fix, wrench repair
🔨 build, hammer
🧪 test, experiment
📦 package, release box
🔒 locked, secure private
🔑 key, secret
📌 pin, pinned
📎 paper clip, attach
📝 note, memo write
📚 books, read study
📈 rising, chart up growth
📉 falling, chart down
📅 calendar, meeting date
🗓️ schedule, planner
📞 phone, call
💻 laptop, computer work
🎧 headphones, focus music listening
🎤 microphone, talk
🎬 film, action video
🎨 art, design paint
🎵 music, note song
🎮 game, play
🏆 trophy, win
🥇 gold medal, first
🎯 target, goal focus
🎁 gift, present
🎂 cake, birthday
☕ coffee, break tea
🍵 tea, cup
🥪 sandwich, lunch meal eating
🍜 noodles, lunch dinner meal
🍕 pizza, food
🍎 apple, fruit
🍺 beer, drinks cheers
🥂 cheers, toast drinks
🏠 home, house remote
🏢 office, work
🏥 hospital, doctor
🏖️ beach, holiday vacation
🌴 palm, holiday vacation
🏔️ mountain, hiking
✈️ plane, travel flight
🚆 train, commute travel
🚌 bus, commute
🚲 bicycle, cycling bike
🚗 car, driving
🏃 running, busy sport
🧘 meditation, calm break
👶 baby, parental leave
🐶 dog, walk
🐱 cat, pet
🦊 fox, animal
🐢 turtle, slow
🦄 unicorn, magic
🌱 seedling, growing plant
🌸 blossom, flower spring
☀️ sun, sunny weather
🌧️ rain, weather
❄️ snow, cold winter
🌙 moon, night away
🌍 world, earth globe
🌈 rainbow, pride
`;

export const EMOJIS: readonly Emoji[] = LINES.trim().split('\n').map((line) => {
  const [head = '', words = ''] = line.split(', ');
  const space = head.indexOf(' ');
  return { emoji: head.slice(0, space), name: head.slice(space + 1), words };
});

/** Those with a word that begins like each word of the query; first those whose name begins with it. */
export function findEmojis(query: string): readonly Emoji[] {
  const wanted = query.toLowerCase().split(/\s+/u).filter((word) => word !== '');
  const found = EMOJIS.filter(({ emoji, name, words }) => {
    const has = `${name} ${words}`.split(' ');
    return wanted.every((word) => has.some((one) => one.startsWith(word)) || emoji === word);
  });
  const isNamed = ({ name }: Emoji): boolean => name.startsWith(wanted[0] ?? '');
  return [...found.filter(isNamed), ...found.filter((one) => !isNamed(one))];
}

export const emojiName = (emoji: string): string | undefined => EMOJIS.find((one) => one.emoji === emoji)?.name;
