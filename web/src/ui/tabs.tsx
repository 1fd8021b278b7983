import { Tabs as BaseTabs } from '@base-ui/react/tabs';
import { Toggle } from '@base-ui/react/toggle';
import { ToggleGroup } from '@base-ui/react/toggle-group';
import type { ReactNode } from 'react';
import css from './controls.module.css';

export interface Tab<V extends string> {
    value: V;
    label: string;
    content: ReactNode;
}
export function Tabs<V extends string>({
    label,
    value,
    onChange,
    tabs,
}: {
    label: string;
    value: V;
    onChange: (value: V) => void;
    tabs: Tab<V>[];
}) {
    return (
        <BaseTabs.Root
            value={value}
            onValueChange={(next) => {
                onChange(next as V);
            }}
        >
            <BaseTabs.List className={css.tabs} aria-label={label}>
                {tabs.map((tab) => (
                    <BaseTabs.Tab key={tab.value} value={tab.value} className={css.tab}>
                        {tab.label}
                    </BaseTabs.Tab>
                ))}
            </BaseTabs.List>
            {tabs.map((tab) => (
                <BaseTabs.Panel key={tab.value} value={tab.value} className={css.tabPanel}>
                    {tab.content}
                </BaseTabs.Panel>
            ))}
        </BaseTabs.Root>
    );
}

/** One of a few, side by side. */
export function Segments<V extends string>({
    label,
    value,
    options,
    onChange,
}: {
    label: string;
    value: V;
    options: readonly { value: V; label: string }[];
    onChange: (value: V) => void;
}) {
    return (
        <ToggleGroup
            aria-label={label}
            className={css.segments}
            value={[value]}
            onValueChange={(values) => {
                const next = values[0];
                if (next !== undefined) onChange(next as V);
            }}
        >
            {options.map((option) => (
                <Toggle key={option.value} value={option.value} className={css.segment}>
                    {option.label}
                </Toggle>
            ))}
        </ToggleGroup>
    );
}
