/* Fields with a label, help and the problem the service named. */
import { Checkbox as BaseCheckbox } from '@base-ui/react/checkbox';
import { Select as BaseSelect } from '@base-ui/react/select';
import { Switch as BaseSwitch } from '@base-ui/react/switch';
import { Check, ChevronDown, Minus, Search } from 'lucide-react';
import {
    forwardRef,
    useId,
    type InputHTMLAttributes,
    type ReactNode,
    type TextareaHTMLAttributes,
} from 'react';
import css from './controls.module.css';

export interface FieldProps {
    label: string;
    /** The label is said, not shown. */
    hideLabel?: boolean;
    hint?: string | undefined;
    help?: ReactNode;
    problem?: string | null | undefined;
}

interface Ids {
    id: string;
    'aria-describedby'?: string;
    'aria-invalid'?: true;
}

/** For controls of your own: `children` gets the ids that tie it to its label. */
export function Field({
    label,
    hideLabel,
    hint,
    help,
    problem,
    children,
}: FieldProps & { children: (ids: Ids) => ReactNode }) {
    const id = useId();
    const described = [help !== undefined ? `${id}-help` : '', problem ? `${id}-problem` : '']
        .filter(Boolean)
        .join(' ');
    return (
        <div className={css.field}>
            <label htmlFor={id} id={`${id}-label`} className={hideLabel ? 'visually-hidden' : css.label}>
                {label}
                {hint !== undefined && <small>{hint}</small>}
            </label>
            {children({
                id,
                ...(described !== '' && { 'aria-describedby': described }),
                ...(problem ? { 'aria-invalid': true as const } : {}),
            })}
            {help !== undefined && (
                <div id={`${id}-help`} className={css.help}>
                    {help}
                </div>
            )}
            {problem ? (
                <div id={`${id}-problem`} className={css.problem} role="alert">
                    {problem}
                </div>
            ) : null}
        </div>
    );
}

type InputProps = Omit<InputHTMLAttributes<HTMLInputElement>, 'id' | 'onChange'> &
    FieldProps & { onChange: (value: string) => void };
export const TextField = forwardRef<HTMLInputElement, InputProps>(function TextField(
    { label, hideLabel, hint, help, problem, onChange, className, ...rest },
    ref,
) {
    return (
        <Field {...{ label, hint, help, problem }} hideLabel={hideLabel ?? false}>
            {(ids) => (
                <input
                    ref={ref}
                    {...rest}
                    {...ids}
                    className={[css.input, className].filter(Boolean).join(' ')}
                    onChange={(event) => {
                        onChange(event.target.value);
                    }}
                />
            )}
        </Field>
    );
});

type AreaProps = Omit<TextareaHTMLAttributes<HTMLTextAreaElement>, 'id' | 'onChange'> &
    FieldProps & { onChange: (value: string) => void };
export function TextAreaField({
    label,
    hideLabel,
    hint,
    help,
    problem,
    onChange,
    className,
    ...rest
}: AreaProps) {
    return (
        <Field {...{ label, hint, help, problem }} hideLabel={hideLabel ?? false}>
            {(ids) => (
                <textarea
                    {...rest}
                    {...ids}
                    className={[css.input, className].filter(Boolean).join(' ')}
                    onChange={(event) => {
                        onChange(event.target.value);
                    }}
                />
            )}
        </Field>
    );
}

export function SearchField({
    label,
    value,
    onChange,
    placeholder,
}: {
    label: string;
    value: string;
    onChange: (value: string) => void;
    placeholder?: string;
}) {
    return (
        <div className={css.search}>
            <Search size={15} aria-hidden />
            <input
                type="search"
                className={css.input}
                aria-label={label}
                value={value}
                placeholder={placeholder ?? label}
                onChange={(event) => {
                    onChange(event.target.value);
                }}
            />
        </div>
    );
}

export interface Option<V extends string> {
    value: V;
    label: string;
}
export function SelectField<V extends string>({
    label,
    hideLabel,
    hint,
    help,
    problem,
    value,
    options,
    onChange,
    disabled,
}: FieldProps & {
    value: V;
    options: readonly Option<V>[];
    onChange: (value: V) => void;
    disabled?: boolean;
}) {
    return (
        <Field {...{ label, hint, help, problem }} hideLabel={hideLabel ?? false}>
            {({ id, ...aria }) => (
                <BaseSelect.Root
                    items={options as Option<V>[]}
                    value={value}
                    disabled={disabled ?? false}
                    modal={false}
                    onValueChange={(next) => {
                        if (next !== null) onChange(next as V);
                    }}
                >
                    <BaseSelect.Trigger
                        id={id}
                        {...aria}
                        aria-labelledby={`${id}-label`}
                        className={css.select}
                    >
                        <BaseSelect.Value />
                        <ChevronDown size={15} aria-hidden />
                    </BaseSelect.Trigger>
                    <BaseSelect.Portal>
                        <BaseSelect.Positioner
                            sideOffset={4}
                            alignItemWithTrigger={false}
                            className={css.positioner}
                        >
                            <BaseSelect.Popup className={css.popup} aria-labelledby={`${id}-label`}>
                                {options.map((option) => (
                                    <BaseSelect.Item
                                        key={option.value}
                                        value={option.value}
                                        className={css.item}
                                    >
                                        <BaseSelect.ItemText>{option.label}</BaseSelect.ItemText>
                                        <BaseSelect.ItemIndicator className={css.end}>
                                            <Check size={14} aria-hidden />
                                        </BaseSelect.ItemIndicator>
                                    </BaseSelect.Item>
                                ))}
                            </BaseSelect.Popup>
                        </BaseSelect.Positioner>
                    </BaseSelect.Portal>
                </BaseSelect.Root>
            )}
        </Field>
    );
}

export function Switch({
    label,
    help,
    checked,
    onChange,
    disabled,
    hideLabel,
}: {
    label: string;
    help?: ReactNode;
    checked: boolean;
    onChange: (checked: boolean) => void;
    disabled?: boolean;
    hideLabel?: boolean;
}) {
    const id = useId();
    return (
        <div className={css.field}>
            <div className={css.inline}>
                <BaseSwitch.Root
                    aria-labelledby={id}
                    checked={checked}
                    disabled={disabled ?? false}
                    onCheckedChange={onChange}
                    className={css.switch}
                >
                    <BaseSwitch.Thumb className={css.thumb} />
                </BaseSwitch.Root>
                {/* The switch is reached by keyboard itself; this is a larger target for the pointer. */}
                {/* eslint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/no-static-element-interactions */}
                <span
                    id={id}
                    className={hideLabel ? 'visually-hidden' : css.label}
                    onClick={() => {
                        if (disabled !== true) onChange(!checked);
                    }}
                >
                    {label}
                </span>
            </div>
            {help !== undefined && <div className={css.help}>{help}</div>}
        </div>
    );
}

export function Checkbox({
    label,
    hideLabel,
    checked,
    mixed,
    onChange,
    disabled,
}: {
    label: string;
    hideLabel?: boolean;
    checked: boolean;
    mixed?: boolean;
    onChange: (checked: boolean) => void;
    disabled?: boolean;
}) {
    const id = useId();
    return (
        <span className={css.inline}>
            <BaseCheckbox.Root
                aria-labelledby={id}
                checked={checked}
                indeterminate={mixed ?? false}
                disabled={disabled ?? false}
                onCheckedChange={onChange}
                className={css.check}
            >
                <BaseCheckbox.Indicator>
                    {mixed ? <Minus size={12} aria-hidden /> : <Check size={12} aria-hidden />}
                </BaseCheckbox.Indicator>
            </BaseCheckbox.Root>
            {/* eslint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/no-static-element-interactions */}
            <span
                id={id}
                className={hideLabel ? 'visually-hidden' : undefined}
                onClick={() => {
                    if (disabled !== true) onChange(!checked);
                }}
            >
                {label}
            </span>
        </span>
    );
}
