import { AlertDialog } from '@base-ui/react/alert-dialog';
import { Dialog as BaseDialog } from '@base-ui/react/dialog';
import { X } from 'lucide-react';
import { useState, type FormEvent, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { useQuestion } from './ask';
import { Button, IconButton } from './button';
import css from './dialog.module.css';

export interface DialogProps {
    open: boolean;
    onClose: () => void;
    title: string;
    description?: ReactNode;
    wide?: boolean;
    children: ReactNode;
    footer?: ReactNode;
    /** Makes the dialog a form: Enter submits. */
    onSubmit?: () => void;
}
export function Dialog({ open, onClose, title, description, wide, children, footer, onSubmit }: DialogProps) {
    const { t } = useTranslation();
    const content = (
        <>
            <div className={css.head}>
                <div>
                    <BaseDialog.Title className={css.title}>{title}</BaseDialog.Title>
                    {description !== undefined && (
                        <BaseDialog.Description className={css.description}>
                            {description}
                        </BaseDialog.Description>
                    )}
                </div>
                <BaseDialog.Close render={<IconButton icon={X} label={t('actions.close')} small />} />
            </div>
            <div className={css.body}>{children}</div>
            {footer !== undefined && <div className={css.foot}>{footer}</div>}
        </>
    );
    return (
        <BaseDialog.Root
            open={open}
            onOpenChange={(next) => {
                if (!next) onClose();
            }}
        >
            <BaseDialog.Portal>
                <BaseDialog.Backdrop className={css.backdrop} />
                <BaseDialog.Popup className={wide ? `${css.dialog ?? ''} ${css.wide ?? ''}` : css.dialog}>
                    {onSubmit === undefined ? (
                        content
                    ) : (
                        <form
                            noValidate
                            className={css.form}
                            onSubmit={(event: FormEvent) => {
                                event.preventDefault();
                                onSubmit();
                            }}
                        >
                            {content}
                        </form>
                    )}
                </BaseDialog.Popup>
            </BaseDialog.Portal>
        </BaseDialog.Root>
    );
}

/** Stands once, in the shell. */
export function Questions() {
    const { t } = useTranslation();
    const question = useQuestion((s) => s.question);
    const [busy, setBusy] = useState(false);
    const close = (): void => {
        useQuestion.setState({ question: null });
    };
    const onConfirm = async (): Promise<void> => {
        setBusy(true);
        try {
            await question?.onConfirm();
        } finally {
            setBusy(false);
            close();
        }
    };
    return (
        <AlertDialog.Root
            open={question !== null}
            onOpenChange={(open) => {
                if (!open && !busy) close();
            }}
        >
            <AlertDialog.Portal>
                <AlertDialog.Backdrop className={css.backdrop} />
                <AlertDialog.Popup className={css.dialog}>
                    <div className={css.head}>
                        <div>
                            <AlertDialog.Title className={css.title}>{question?.title}</AlertDialog.Title>
                        </div>
                    </div>
                    <div className={css.body}>
                        <AlertDialog.Description>{question?.text}</AlertDialog.Description>
                    </div>
                    <div className={css.foot}>
                        <Button onClick={close}>{t('actions.cancel')}</Button>
                        <Button
                            variant={question?.danger ? 'danger' : 'primary'}
                            busy={busy}
                            onClick={() => void onConfirm()}
                        >
                            {question?.confirm}
                        </Button>
                    </div>
                </AlertDialog.Popup>
            </AlertDialog.Portal>
        </AlertDialog.Root>
    );
}
