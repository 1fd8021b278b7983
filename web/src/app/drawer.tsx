/* The menu on narrow screens. */
import { Dialog } from '@base-ui/react/dialog';
import { X } from 'lucide-react';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { IconButton } from '@/ui/button';
import css from './shell.module.css';

export default function Drawer({
    open,
    onOpenChange,
    brand,
    children,
}: {
    open: boolean;
    onOpenChange: (open: boolean) => void;
    brand: ReactNode;
    children: ReactNode;
}) {
    const { t } = useTranslation();
    return (
        <Dialog.Root open={open} onOpenChange={onOpenChange}>
            <Dialog.Portal>
                <Dialog.Backdrop className={css.backdrop} />
                <Dialog.Popup className={css.drawer} aria-label={t('nav.main')}>
                    <div className={css.drawerHead}>
                        {brand}
                        <Dialog.Close render={<IconButton icon={X} label={t('nav.close')} />} />
                    </div>
                    {children}
                </Dialog.Popup>
            </Dialog.Portal>
        </Dialog.Root>
    );
}
