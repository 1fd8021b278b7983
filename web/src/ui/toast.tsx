import { Toast } from '@base-ui/react/toast';
import { CircleAlert, CircleCheck, X } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import i18next from 'i18next';
import { ApiError } from '@/lib/api/client';
import { Button, IconButton } from './button';
import css from './toast.module.css';

const manager = Toast.createToastManager();

export const say = (text: string, action?: { label: string; onSelect: () => void }): void => {
    manager.add({
        title: text,
        type: 'success',
        timeout: action === undefined ? 4000 : 8000,
        ...(action !== undefined && { actionProps: { children: action.label, onClick: action.onSelect } }),
    });
};
/** What went wrong, in the service's own words, which say what would be right. */
export const sayError = (error: unknown, title?: string): void => {
    const unreachable = error instanceof ApiError && error.unreachable;
    manager.add({
        title: title ?? i18next.t('errors.title'),
        description: unreachable
            ? i18next.t('errors.unreachable')
            : error instanceof Error
              ? error.message
              : String(error),
        type: 'error',
        timeout: 9000, // of high priority it would be hidden, with its buttons, from those it is read out to
    });
};

export function Toasts() {
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
                    <Toast.Close render={<IconButton icon={X} label={t('toast.close')} small />} />
                </Toast.Root>
            ))}
        </Toast.Viewport>
    );
}
