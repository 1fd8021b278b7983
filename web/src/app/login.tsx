import { useState, type FormEvent, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { logIn } from '@/lib/auth/session';
import { SaidError } from '@/lib/said/said';
import { Button } from '@/ui/button';
import { TextField } from '@/ui/field';
import { Notice, useTitle } from '@/ui/layout';
import css from './login.module.css';
import { Mark } from './mark';

export function Login() {
    const { t } = useTranslation();
    useTitle(t('login.title'));
    const [username, setUsername] = useState('');
    const [password, setPassword] = useState('');
    const [busy, setBusy] = useState(false);
    const [problem, setProblem] = useState<ReactNode>(null);
    const submit = async (): Promise<void> => {
        setBusy(true);
        setProblem(null);
        try {
            await logIn(username, password);
        } catch (error) {
            const status = (error as { status?: number }).status;
            if (status === 401) setProblem(t('login.refused'));
            else if (status === undefined) setProblem(t('errors.unreachable'));
            else setProblem(<SaidError error={error} />);
        } finally {
            setBusy(false);
        }
    };
    return (
        <main className={css.login}>
            <form
                className={css.card}
                onSubmit={(event: FormEvent) => {
                    event.preventDefault();
                    void submit();
                }}
            >
                <div className={css.head}>
                    <Mark size={36} />
                    <h1>Caudal</h1>
                    <p>{t('login.lead')}</p>
                </div>
                {problem !== null && <Notice>{problem}</Notice>}
                <TextField
                    label={t('login.username')}
                    autoComplete="username"
                    autoCapitalize="none"
                    required
                    autoFocus
                    value={username}
                    onChange={setUsername}
                />
                <TextField
                    label={t('login.password')}
                    type="password"
                    autoComplete="current-password"
                    required
                    value={password}
                    onChange={setPassword}
                />
                <Button
                    type="submit"
                    variant="primary"
                    busy={busy}
                    disabled={username === '' || password === ''}
                >
                    {busy ? t('login.working') : t('login.submit')}
                </Button>
                <p className={css.note}>{t('login.first')}</p>
            </form>
        </main>
    );
}
