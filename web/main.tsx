import { render } from 'preact';
import { App } from './components/App.tsx';
import { refresh } from './state/account.ts';
import { watchClock } from './state/clock.ts';
import { watchNavigation } from './state/navigation.ts';
import { watchConnectivity } from './state/connectivity.ts';
import { watchSearch } from './state/search.ts';
import './styles/base.css';
import './styles/layout.css';
import './styles/messages.css';
import './styles/panels.css';

watchClock();
watchNavigation();
watchConnectivity();
watchSearch();
void refresh();
const root = document.getElementById('app');
if (root) render(<App />, root);
