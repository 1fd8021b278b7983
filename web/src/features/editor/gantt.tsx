/* When each node of an execution ran. */
import type { NodeExecution } from '@/lib/api/models';
import { useFormats } from '@/lib/format/format';
import css from './editor.module.css';

export function Gantt({ nodes, onChoose }: { nodes: NodeExecution[]; onChoose: (nodeId: string) => void }) {
    const { duration } = useFormats();
    const begin = Math.min(...nodes.map((node) => Date.parse(node.startTime)));
    const ends = nodes.map((node) => (node.endTime === null ? Date.now() : Date.parse(node.endTime)));
    const span = Math.max(1, Math.max(...ends) - begin);
    return (
        <div className={css.gantt}>
            {nodes.map((node, index) => (
                <div key={`${node.nodeId} ${String(index)}`} style={{ display: 'contents' }}>
                    <button
                        type="button"
                        onClick={() => {
                            onChoose(node.nodeId);
                        }}
                    >
                        {node.nodeId}
                    </button>
                    <div className={css.track}>
                        <i
                            data-status={node.status}
                            style={{
                                left: `${String(((Date.parse(node.startTime) - begin) / span) * 100)}%`,
                                width: `${String((((ends[index] ?? begin) - Date.parse(node.startTime)) / span) * 100)}%`,
                            }}
                        />
                    </div>
                    <span className="num">{duration(node.duration)}</span>
                </div>
            ))}
        </div>
    );
}
