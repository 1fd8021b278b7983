/* A menu of the frame: its button is there at once, what opens comes when the page has been drawn or asks for it. */
import {
    cloneElement,
    lazy,
    Suspense,
    useEffect,
    useState,
    type ButtonHTMLAttributes,
    type ReactElement,
} from 'react';
import type { MenuEntry } from './menu';

const Menu = lazy(async () => ({ default: (await import('./menu')).Menu }));
const LATER_MS = 3000;

export function LateMenu({
    trigger,
    entries,
}: {
    trigger: ReactElement<ButtonHTMLAttributes<HTMLButtonElement>>;
    entries: MenuEntry[];
}) {
    const [wanted, setWanted] = useState<'no' | 'soon' | 'open'>('no');
    useEffect(() => {
        const timer = window.setTimeout(() => {
            setWanted((former) => (former === 'no' ? 'soon' : former));
        }, LATER_MS);
        return () => {
            window.clearTimeout(timer);
        };
    }, []);
    const button = cloneElement(trigger, {
        'aria-haspopup': 'menu',
        'aria-expanded': false,
        onClick: () => {
            setWanted('open');
        },
    });
    return wanted === 'no' ? (
        button
    ) : (
        <Suspense fallback={button}>
            <Menu trigger={trigger} entries={entries} defaultOpen={wanted === 'open'} />
        </Suspense>
    );
}
