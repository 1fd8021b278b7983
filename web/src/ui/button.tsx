import { Tooltip } from '@base-ui/react/tooltip';
import { createLink, type LinkComponent } from '@tanstack/react-router';
import type { LucideIcon } from 'lucide-react';
import { forwardRef, type AnchorHTMLAttributes, type ButtonHTMLAttributes, type ReactNode } from 'react';
import css from './controls.module.css';

export type Variant = 'primary' | 'secondary' | 'ghost' | 'danger';
export interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
    variant?: Variant;
    small?: boolean;
    icon?: LucideIcon | undefined;
    /** Under way: shown, and not pressed a second time. */
    busy?: boolean;
}

const classes = (...names: (string | false | undefined)[]): string => names.filter(Boolean).join(' ');

export const Button = forwardRef<HTMLButtonElement, ButtonProps>(function Button(
    { variant = 'secondary', small, icon: Icon, busy, className, children, disabled, ...rest },
    ref,
) {
    return (
        <button
            ref={ref}
            type="button"
            {...rest}
            disabled={disabled === true || busy === true}
            aria-busy={busy === true || undefined}
            className={classes(css.button, css[variant], small && css.small, className)}
        >
            {busy === true ? (
                <span className={css.spinner} aria-hidden />
            ) : (
                Icon !== undefined && <Icon size={small ? 14 : 16} aria-hidden />
            )}
            {children}
        </button>
    );
});

interface AnchorProps extends AnchorHTMLAttributes<HTMLAnchorElement> {
    variant?: Variant;
    small?: boolean;
    icon?: LucideIcon;
}
const Anchor = forwardRef<HTMLAnchorElement, AnchorProps>(function Anchor(
    { variant = 'secondary', small, icon: Icon, className, children, ...rest },
    ref,
) {
    return (
        <a ref={ref} {...rest} className={classes(css.button, css[variant], small && css.small, className)}>
            {Icon !== undefined && <Icon size={small ? 14 : 16} aria-hidden />}
            {children}
        </a>
    );
});
/** To what is no page of ours. */
export { Anchor as AnchorButton };
const RoutedAnchor = createLink(Anchor);
/** A link that looks like a button: it leads to another page. */
export const LinkButton: LinkComponent<typeof Anchor> = (props) => (
    <RoutedAnchor preload="intent" {...props} />
);

export interface IconButtonProps extends Omit<ButtonProps, 'children'> {
    icon: LucideIcon;
    label: string;
    keys?: string;
}
export const IconButton = forwardRef<HTMLButtonElement, IconButtonProps>(function IconButton(
    { icon: Icon, label, keys, variant = 'ghost', small, className, busy, ...rest },
    ref,
) {
    return (
        <Tip text={label} keys={keys}>
            <button
                ref={ref}
                type="button"
                aria-label={label}
                {...rest}
                className={classes(css.button, css[variant], css.icon, small && css.small, className)}
            >
                {busy === true ? (
                    <span className={css.spinner} aria-hidden />
                ) : (
                    <Icon size={small ? 15 : 17} aria-hidden />
                )}
            </button>
        </Tip>
    );
});

/** A short text beside what is pointed at or focused, for the eye: the child has a name of its own. It must take a ref. */
export function Tip({
    text,
    keys,
    children,
}: {
    text: string;
    keys?: string | undefined;
    children: ReactNode;
}) {
    return (
        <Tooltip.Root>
            <Tooltip.Trigger delay={350} render={children as React.ReactElement<Record<string, unknown>>} />
            <Tooltip.Portal>
                <Tooltip.Positioner sideOffset={6} className={css.positioner}>
                    <Tooltip.Popup className={css.tooltip} aria-hidden>
                        {text}
                        {keys !== undefined && <kbd>{keys}</kbd>}
                    </Tooltip.Popup>
                </Tooltip.Positioner>
            </Tooltip.Portal>
        </Tooltip.Root>
    );
}
