import { Menu as BaseMenu } from '@base-ui/react/menu';
import type { LucideIcon } from 'lucide-react';
import type { ReactElement } from 'react';
import css from './controls.module.css';

export interface MenuAction {
    label: string;
    icon?: LucideIcon;
    keys?: string;
    danger?: boolean;
    disabled?: boolean;
    onSelect: () => void;
}
export interface MenuChoice {
    group: string;
    value: string;
    options: { value: string; label: string }[];
    onChange: (value: string) => void;
}
export type MenuEntry = MenuAction | MenuChoice | 'separator' | { text: string };

/** `trigger` is the button that opens it; it must take a ref. */
export function Menu({
    trigger,
    entries,
    defaultOpen = false,
}: {
    trigger: ReactElement;
    entries: MenuEntry[];
    defaultOpen?: boolean;
}) {
    return (
        <BaseMenu.Root modal={false} defaultOpen={defaultOpen}>
            <BaseMenu.Trigger render={trigger as ReactElement<Record<string, unknown>>} />
            <BaseMenu.Portal>
                <BaseMenu.Positioner sideOffset={5} align="end" className={css.positioner}>
                    <BaseMenu.Popup className={css.popup}>{entries.map(renderEntry)}</BaseMenu.Popup>
                </BaseMenu.Positioner>
            </BaseMenu.Portal>
        </BaseMenu.Root>
    );
}

function renderEntry(entry: MenuEntry, index: number) {
    if (entry === 'separator') return <BaseMenu.Separator key={index} className={css.separator} />;
    if ('text' in entry)
        return (
            <div key={index} className={css.groupLabel}>
                {entry.text}
            </div>
        );
    if ('group' in entry)
        return (
            <BaseMenu.Group key={entry.group}>
                <BaseMenu.GroupLabel className={css.groupLabel}>{entry.group}</BaseMenu.GroupLabel>
                <BaseMenu.RadioGroup
                    value={entry.value}
                    onValueChange={(value) => {
                        entry.onChange(String(value));
                    }}
                >
                    {entry.options.map((option) => (
                        <BaseMenu.RadioItem
                            key={option.value}
                            value={option.value}
                            className={css.item}
                            closeOnClick
                        >
                            {option.label}
                            <BaseMenu.RadioItemIndicator className={css.end}>●</BaseMenu.RadioItemIndicator>
                        </BaseMenu.RadioItem>
                    ))}
                </BaseMenu.RadioGroup>
            </BaseMenu.Group>
        );
    const Icon = entry.icon;
    return (
        <BaseMenu.Item
            key={entry.label}
            disabled={entry.disabled ?? false}
            onClick={entry.onSelect}
            className={entry.danger ? `${css.item ?? ''} ${css.dangerous ?? ''}` : css.item}
        >
            {Icon !== undefined && <Icon size={15} aria-hidden />}
            {entry.label}
            {entry.keys !== undefined && <kbd className={css.end}>{entry.keys}</kbd>}
        </BaseMenu.Item>
    );
}
