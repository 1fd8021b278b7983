import '@fontsource-variable/instrument-sans/wght.css';
import './styles/tokens.css';
import './styles/base.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from '@/app/app';
import { startSession } from '@/lib/auth/session';
import { startTexts } from '@/lib/i18n/i18n';

const root = document.getElementById('root');
if (root === null) throw new Error('index.html has no #root');
// Whether there must be a login is asked while the rest loads; the gate asks again where that failed.
startSession().catch(() => null);
// Not awaited here: a module that waits keeps what it shares with pages in chunks of their own.
void startTexts().then(() => {
    createRoot(root).render(
        <StrictMode>
            <App />
        </StrictMode>,
    );
});
