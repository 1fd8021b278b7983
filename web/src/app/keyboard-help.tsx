import { useTranslation } from 'react-i18next';
import { Dialog } from '@/ui/dialog';
import { useOpened } from './opened';
import css from './palette.module.css';

export function KeyboardHelp() {
    const { t } = useTranslation();
    const { help, extra } = useOpened();
    const everywhere: [string, string][] = [
        ['Ctrl K', t('keys.palette')],
        ['?', t('keys.help')],
        ['g', t('keys.go')],
        ['Esc', t('keys.escape')],
    ];
    return (
        <Dialog
            open={help}
            title={t('keys.title')}
            onClose={() => {
                useOpened.setState({ help: false });
            }}
        >
            {extra !== null && <Keys title={extra.title} keys={extra.keys} />}
            <Keys title={t('keys.everywhere')} keys={everywhere} />
        </Dialog>
    );
}

function Keys({ title, keys }: { title: string; keys: [string, string][] }) {
    return (
        <section>
            <h3>{title}</h3>
            <dl className={css.keys}>
                {keys.map(([key, text]) => (
                    <div key={key} style={{ display: 'contents' }}>
                        <dt>
                            <kbd>{key}</kbd>
                        </dt>
                        <dd>{text}</dd>
                    </div>
                ))}
            </dl>
        </section>
    );
}
