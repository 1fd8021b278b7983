/* Something a person does to the service: busy meanwhile, its refusal said, what it changed asked for again. */
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { sayError } from './toast';

export interface Act {
    busy: boolean;
    /** Never rejects: what went wrong was said. */
    run: (work: () => Promise<unknown>) => Promise<void>;
}
export function useAct(...queryKeys: string[]): Act {
    const queries = useQueryClient();
    const mutation = useMutation({
        mutationFn: (work: () => Promise<unknown>) => work(),
        onError: (error) => {
            sayError(error);
        },
        onSettled: () => Promise.all(queryKeys.map((key) => queries.invalidateQueries({ queryKey: [key] }))),
    });
    return {
        busy: mutation.isPending,
        run: async (work) => {
            await mutation.mutateAsync(work).catch(() => undefined);
        },
    };
}
