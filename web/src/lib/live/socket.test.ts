import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { followExecution, onCatchUp, reconnectDelay, startLive, useConnection } from './socket';

class FakeSocket {
    static OPEN = 1;
    static all: FakeSocket[] = [];
    readyState = 0;
    sent: string[] = [];
    onopen: (() => void) | null = null;
    onclose: (() => void) | null = null;
    onmessage: ((event: { data: string }) => void) | null = null;
    constructor(readonly url: URL) {
        FakeSocket.all.push(this);
    }
    send(text: string): void {
        this.sent.push(text);
    }
    close(): void {
        this.readyState = 3;
        this.onclose?.();
    }
    open(): void {
        this.readyState = 1;
        this.onopen?.();
    }
}

const subscription = (executionId: string): string =>
    JSON.stringify({ type: 'subscribe', channel: 'execution', executionId });

describe('the live connection', () => {
    let stop: () => void;
    beforeEach(() => {
        vi.useFakeTimers();
        vi.stubGlobal('WebSocket', FakeSocket);
        FakeSocket.all = [];
        useConnection.setState({ connection: 'connecting', losses: 0 });
        stop = startLive();
    });
    afterEach(() => {
        stop();
        vi.useRealTimers();
        vi.unstubAllGlobals();
    });

    it('subscribes anew and asks to catch up after a loss', async () => {
        const updates: string[] = [];
        const caughtUp = vi.fn();
        const forget = onCatchUp(caughtUp);
        const leave = followExecution('a', (update) => updates.push(update.status));
        const [first] = FakeSocket.all;
        first?.open();
        expect(first?.sent).toContain(subscription('a'));
        expect(caughtUp).not.toHaveBeenCalled();
        first?.onmessage?.({ data: '{"type":"execution_update","executionId":"a","status":"running"}' });
        first?.onmessage?.({ data: '{"type":"execution_update","executionId":"b","status":"failed"}' });
        first?.onmessage?.({ data: 'not JSON' });
        expect(updates).toEqual(['running']);

        first?.close();
        expect(useConnection.getState().connection).toBe('lost');
        await vi.advanceTimersByTimeAsync(1000);
        const second = FakeSocket.all[1];
        second?.open();
        expect(second?.sent).toContain(subscription('a'));
        expect(caughtUp).toHaveBeenCalledOnce();
        expect(useConnection.getState().connection).toBe('open');
        leave();
        expect(second?.sent.at(-1)).toContain('unsubscribe');
        forget();
    });

    it('drops a connection that says nothing', async () => {
        const [first] = FakeSocket.all;
        first?.open();
        await vi.advanceTimersByTimeAsync(100_000);
        expect(FakeSocket.all.length).toBeGreaterThan(1);
    });

    it('waits longer each time, but not for ever', () => {
        expect(reconnectDelay(0, 0)).toBeLessThan(reconnectDelay(3, 0));
        expect(reconnectDelay(50, 1)).toBeLessThanOrEqual(12_500);
    });
});
