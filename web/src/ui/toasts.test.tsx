import { render, screen } from '@testing-library/react';
import { useLayoutEffect } from 'react';
import { expect, it } from 'vitest';
import { say } from './toast';
import { Toasts } from './toasts';

/** Says something between the drawing of the list and its effect. */
function Between() {
    useLayoutEffect(() => say('The second'), []);
    return null;
}

it('shows what is said while the list is being drawn', async () => {
    say('The first');
    render(
        <>
            <Toasts />
            <Between />
        </>,
    );
    expect(await screen.findAllByText('The first')).not.toHaveLength(0);
    expect(await screen.findAllByText('The second')).not.toHaveLength(0);
});
