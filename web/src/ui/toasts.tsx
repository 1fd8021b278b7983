/* Where messages are shown: loaded with the first of them. */
import { Toast } from '@base-ui/react/toast';
import { CircleAlert, CircleCheck, X } from 'lucide-react';
import { useEffect } from 'react';
import { useTranslation } from 'react-i18next';
import { SaidError } from '@/lib/said/said';
import { Button, IconButton } from './button';
import { useMessages } from './toast';
import css from './toast.module.css';

const manager = Toast.createToastManager();

export function Toasts() {
    const waiting = useMessages((s) => s.waiting);
    useEffect(() => {
        // Read now, not as drawn: one that came since would be dropped.
        const { waiting: all } = useMessages.getState();
        if (all.length === 0) return;
        useMessages.setState({ waiting: [] });
        for (const { error, ...message } of all)
            manager.add({
                ...message,
                ...(error !== undefined && {
                    description: typeof error === 'string' ? error : <SaidError error={error} />,
                }),
            });
    }, [waiting]);
    return (
        <Toast.Provider toastManager={manager} limit={4}>
            <Toast.Portal>
                <List />
            </Toast.Portal>
        </Toast.Provider>
    );
}

function List() {
    const { t } = useTranslation();
    const { toasts } = Toast.useToastManager();
    return (
        <Toast.Viewport className={css.viewport} aria-label={t('toast.label')}>
            {toasts.map((toast) => (
                <Toast.Root key={toast.id} toast={toast} className={css.toast} data-toast>
                    {toast.type === 'error' ? (
                        <CircleAlert size={17} aria-hidden />
                    ) : (
                        <CircleCheck size={17} aria-hidden />
                    )}
                    <div className={css.text}>
                        <Toast.Title className={css.title} />
                        <Toast.Description className={css.description} />
                    </div>
                    {toast.actionProps !== undefined && <Toast.Action render={<Button small />} />}
                    {/* It can be reached by Tab at once, so it is told at once. */}
                    <Toast.Close
                        aria-hidden={false}
                        render={<IconButton icon={X} label={t('toast.close')} small />}
                    />
                </Toast.Root>
            ))}
        </Toast.Viewport>
    );
}
