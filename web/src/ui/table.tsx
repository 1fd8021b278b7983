/* Rows of things: a table, on a narrow screen a card a row; and the card that shows what a query says as one. */
import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import type { Page } from '@/lib/api/models';
import { Card, ErrorState, Loading, Pager, TableScroll } from './layout';
import css from './table.module.css';

export interface Column<R> {
    head: string;
    /** Said, not shown: of the column of buttons. */
    hideHead?: boolean;
    /** Stands in the head instead of its text. */
    control?: ReactNode;
    /** Numbers and buttons. */
    end?: boolean;
    cell: (row: R) => ReactNode;
}
/** What is false is left out: a column that a role does not see. */
export type Columns<R> = readonly (Column<R> | false)[];

export function Table<R>({
    label,
    columns,
    rows,
    rowKey,
}: {
    label: string;
    columns: Columns<R>;
    rows: readonly R[];
    rowKey: (row: R) => string;
}) {
    const shown = columns.filter((column) => column !== false);
    // Roles in so many words: a table whose rows are laid out as cards is none to every browser otherwise.
    /* eslint-disable jsx-a11y/no-redundant-roles, jsx-a11y/no-interactive-element-to-noninteractive-role */
    return (
        <TableScroll label={label}>
            <table className={css.list} role="table">
                <thead role="rowgroup">
                    <tr role="row">
                        {shown.map(({ head, hideHead, control, end }) => (
                            <th
                                key={head}
                                role="columnheader"
                                scope="col"
                                data-align={end === true ? 'end' : undefined}
                            >
                                {control ?? (
                                    <span className={hideHead === true ? 'visually-hidden' : undefined}>
                                        {head}
                                    </span>
                                )}
                            </th>
                        ))}
                    </tr>
                </thead>
                <tbody role="rowgroup">
                    {rows.map((row) => (
                        <tr key={rowKey(row)} role="row">
                            {shown.map(({ head, hideHead, control, end, cell }) => (
                                <td
                                    key={head}
                                    role="cell"
                                    data-align={end === true ? 'end' : undefined}
                                    data-head={hideHead === true || control !== undefined ? undefined : head}
                                >
                                    <div>{cell(row)}</div>
                                </td>
                            ))}
                        </tr>
                    ))}
                </tbody>
            </table>
        </TableScroll>
    );
    /* eslint-enable jsx-a11y/no-redundant-roles, jsx-a11y/no-interactive-element-to-noninteractive-role */
}

/** A row's buttons, side by side. */
export function Buttons({ children }: { children: ReactNode }) {
    return <span className={css.buttons}>{children}</span>;
}

/** Waiting, failed, empty, or the rows with their pages. */
export function ListCard<R>({
    title,
    actions,
    query,
    empty,
    onPage,
    ...table
}: {
    /** Of the card; none when the page says it. */
    title?: string;
    actions?: ReactNode;
    label: string;
    query: UseQueryResult<R[] | Page<R>>;
    columns: Columns<R>;
    rowKey: (row: R) => string;
    empty?: ReactNode;
    onPage?: (page: number) => void;
}) {
    const { data } = query;
    const rows = data === undefined ? [] : Array.isArray(data) ? data : data.data;
    const pages = data === undefined || Array.isArray(data) ? undefined : data.pagination;
    return (
        <Card flush {...(title !== undefined && { title })} actions={actions}>
            {query.isPending && <Loading />}
            {query.isError && data === undefined && (
                <ErrorState error={query.error} onRetry={() => void query.refetch()} />
            )}
            {data !== undefined && rows.length === 0 && empty}
            {rows.length > 0 && <Table {...table} rows={rows} />}
            {pages !== undefined && onPage !== undefined && (
                <Pager page={pages.page} limit={pages.limit} total={pages.total} onPage={onPage} />
            )}
        </Card>
    );
}
