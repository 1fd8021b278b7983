/* The frame of every page: menu, search, account, whether the service is reached. */
import { Link, Outlet, useRouterState } from '@tanstack/react-router';
import {
    BookOpen,
    ChevronsLeft,
    ChevronsRight,
    CircleUser,
    LogOut,
    Menu as MenuIcon,
    Search,
    WifiOff,
} from 'lucide-react';
import { lazy, Suspense, useEffect, useRef, useState, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { logOut, useMay, useSession } from '@/lib/auth/session';
import { chooseLanguage, languageNames, languages, type Language } from '@/lib/i18n/i18n';
import { startLive, useConnection } from '@/lib/live/socket';
import { useQuestion } from '@/ui/ask';
import { IconButton, Tip } from '@/ui/button';
import { Loading } from '@/ui/layout';
import { LateMenu } from '@/ui/late-menu';
import type { MenuEntry } from '@/ui/menu';
import { say } from '@/ui/toast';
import { Mark } from './mark';
import { destinations } from './navigation';
import { openPalette, useOpened } from './opened';
import { useShortcuts } from './shortcuts';
import css from './shell.module.css';
import { chooseTheme, useTheme } from './theme';

export function Shell() {
    const { t } = useTranslation();
    const [folded, setFolded] = useFolded();
    const main = useRef<HTMLElement>(null);
    useShortcuts();
    useEffect(() => startLive(), []);
    return (
        <div className={css.shell} data-folded={folded || undefined}>
            <a className={css.skip} href="#main">
                {t('skip')}
            </a>
            <aside className={css.side}>
                <Brand folded={folded} />
                <Find />
                <Navigation folded={folded} />
                <div className={css.foot}>
                    <Account folded={folded} />
                    <IconButton
                        small
                        icon={folded ? ChevronsRight : ChevronsLeft}
                        label={t(folded ? 'nav.expand' : 'nav.collapse')}
                        onClick={() => {
                            setFolded(!folded);
                        }}
                    />
                </div>
            </aside>
            <TopBar />
            <main id="main" ref={main} tabIndex={-1} className={css.main}>
                <ConnectionBar />
                <Suspense fallback={<Loading />}>
                    <Outlet />
                </Suspense>
            </main>
            <Above />
        </div>
    );
}

const Palette = lazy(async () => ({ default: (await import('./palette')).Palette }));
const KeyboardHelp = lazy(async () => ({ default: (await import('./keyboard-help')).KeyboardHelp }));
const Questions = lazy(async () => ({ default: (await import('@/ui/dialog')).Questions }));
const Drawer = lazy(() => import('./drawer'));

/** What stands above the page, from when it is opened for the first time. */
function Above() {
    return (
        <>
            <Once opened={useOpened((s) => s.palette)}>
                <Palette />
            </Once>
            <Once opened={useOpened((s) => s.help)}>
                <KeyboardHelp />
            </Once>
            <Once opened={useQuestion((s) => s.question !== null)}>
                <Questions />
            </Once>
        </>
    );
}

function Once({ opened, children }: { opened: boolean; children: ReactNode }) {
    const [ever, setEver] = useState(opened);
    if (opened && !ever) setEver(true);
    return ever ? <Suspense fallback={null}>{children}</Suspense> : null;
}

function useFolded(): [boolean, (folded: boolean) => void] {
    const [folded, setFolded] = useState(() => localStorage.getItem('caudal.folded') === 'yes');
    return [
        folded,
        (next) => {
            localStorage.setItem('caudal.folded', next ? 'yes' : 'no');
            setFolded(next);
        },
    ];
}

function Brand({ folded }: { folded?: boolean }) {
    return (
        <Link to="/" className={css.brand} aria-label="Caudal">
            <Mark />
            {folded !== true && <span>Caudal</span>}
        </Link>
    );
}

function Find() {
    const { t } = useTranslation();
    return (
        <button type="button" className={css.find} onClick={openPalette}>
            <Search size={15} aria-hidden />
            <span>{t('palette.open')}</span>
            <kbd aria-hidden>{/Mac/.test(navigator.platform) ? '⌘K' : 'Ctrl K'}</kbd>
        </button>
    );
}

function Navigation({ folded, onGo }: { folded?: boolean; onGo?: () => void }) {
    const { t } = useTranslation();
    const operator = useMay('operator');
    const shown = destinations.filter((d) => d.role === undefined || operator);
    return (
        <nav className={css.nav} aria-label={t('nav.main')}>
            {(['watch', 'build', 'operate'] as const).map((group) => (
                <div key={group}>
                    <div className={css.group}>{t(`nav.${group}`)}</div>
                    <ul>
                        {shown
                            .filter((d) => d.group === group)
                            .map((d) => {
                                const link = (
                                    <Link
                                        to={d.to}
                                        className={css.link}
                                        activeOptions={{ exact: d.to === '/' }}
                                        aria-label={t(`nav.${d.name}`)}
                                        onClick={onGo}
                                    >
                                        <d.icon size={17} strokeWidth={1.8} aria-hidden />
                                        <span className={css.label}>{t(`nav.${d.name}`)}</span>
                                    </Link>
                                );
                                return (
                                    <li key={d.to}>
                                        {folded === true ? <Tip text={t(`nav.${d.name}`)}>{link}</Tip> : link}
                                    </li>
                                );
                            })}
                    </ul>
                </div>
            ))}
        </nav>
    );
}

function Account({ folded }: { folded?: boolean }) {
    const { t, i18n } = useTranslation();
    const me = useSession((s) => s.me);
    const theme = useTheme();
    const name = me?.loginRequired === true ? me.username : t('account.local');
    const entries: MenuEntry[] = [
        ...(me?.loginRequired === true ? [{ text: t('account.role', { role: t(`roles.${me.role}`) }) }] : []),
        {
            group: t('theme.label'),
            value: theme,
            options: (['system', 'light', 'dark'] as const).map((value) => ({
                value,
                label: t(`theme.${value}`),
            })),
            onChange: (value) => {
                chooseTheme(value as 'system' | 'light' | 'dark');
            },
        },
        'separator',
        {
            group: t('language'),
            value: i18n.language,
            options: languages.map((value) => ({ value, label: languageNames[value] })),
            onChange: (value) => {
                chooseLanguage(value as Language);
            },
        },
        'separator',
        {
            label: t('nav.docs'),
            icon: BookOpen,
            onSelect: () => window.open('/api/docs', '_blank', 'noopener'),
        },
        ...(me?.loginRequired === true
            ? [{ label: t('account.logOut'), icon: LogOut, onSelect: () => void logOut() }]
            : []),
    ];
    return (
        <LateMenu
            entries={entries}
            trigger={
                <button type="button" className={css.account} aria-label={`${t('account.menu')}: ${name}`}>
                    <CircleUser size={18} strokeWidth={1.8} aria-hidden />
                    {folded !== true && <span>{name}</span>}
                </button>
            }
        />
    );
}

/** On narrow screens. */
function TopBar() {
    const { t } = useTranslation();
    const [open, setOpen] = useState(false);
    const path = useRouterState({ select: (s) => s.location.pathname });
    useEffect(() => {
        setOpen(false);
    }, [path]);
    return (
        <header className={css.top}>
            <IconButton
                icon={MenuIcon}
                label={t('nav.open')}
                aria-haspopup="dialog"
                aria-expanded={open}
                onClick={() => {
                    setOpen(true);
                }}
            />
            <Once opened={open}>
                <Drawer open={open} onOpenChange={setOpen} brand={<Brand />}>
                    <Navigation
                        onGo={() => {
                            setOpen(false);
                        }}
                    />
                    <div className={css.foot}>
                        <Account />
                    </div>
                </Drawer>
            </Once>
            <Brand />
            <IconButton icon={Search} label={t('palette.open')} onClick={openPalette} />
        </header>
    );
}

function ConnectionBar() {
    const { t } = useTranslation();
    const connection = useConnection((s) => s.connection);
    const [late, setLate] = useState(false);
    const wasLost = useRef(false);
    useEffect(() => {
        if (connection === 'lost') {
            wasLost.current = true;
            // Most losses are over before anybody need know.
            const timer = window.setTimeout(() => {
                setLate(true);
            }, 1500);
            return () => {
                window.clearTimeout(timer);
            };
        }
        if (late && wasLost.current) say(t('connection.back'));
        wasLost.current = false;
        setLate(false);
        return undefined;
    }, [connection, late, t]);
    return (
        <div role="status" className={connection === 'lost' && late ? css.lost : undefined}>
            {connection === 'lost' && late && (
                <>
                    <WifiOff size={15} aria-hidden />
                    {t('connection.lost')}
                </>
            )}
        </div>
    );
}
