/* What the menu and the search offer, in this order. */
import {
    Activity,
    CalendarClock,
    Gauge,
    KeyRound,
    MailX,
    Server,
    SlidersHorizontal,
    Users,
    Waypoints,
    Webhook,
    type LucideIcon,
} from 'lucide-react';
import type { Role } from '@/lib/api/models';

export interface Destination {
    /** A name of `nav` in the texts. */
    name: string;
    to:
        | '/'
        | '/flows'
        | '/executions'
        | '/schedules'
        | '/hooks'
        | '/variables'
        | '/access'
        | '/workers'
        | '/dead-letters'
        | '/settings';
    icon: LucideIcon;
    /** g and this letter go there. */
    letter: string;
    group: 'watch' | 'build' | 'operate';
    role?: Role;
}

export const destinations: Destination[] = [
    { name: 'overview', to: '/', icon: Gauge, letter: 'o', group: 'watch' },
    { name: 'executions', to: '/executions', icon: Activity, letter: 'e', group: 'watch' },
    { name: 'flows', to: '/flows', icon: Waypoints, letter: 'f', group: 'build' },
    { name: 'schedules', to: '/schedules', icon: CalendarClock, letter: 's', group: 'build' },
    { name: 'webhooks', to: '/hooks', icon: Webhook, letter: 'h', group: 'build' },
    { name: 'variables', to: '/variables', icon: KeyRound, letter: 'v', group: 'build' },
    { name: 'workers', to: '/workers', icon: Server, letter: 'w', group: 'operate' },
    {
        name: 'dead-letters',
        to: '/dead-letters',
        icon: MailX,
        letter: 'd',
        group: 'operate',
        role: 'operator',
    },
    { name: 'access', to: '/access', icon: Users, letter: 'a', group: 'operate' },
    { name: 'settings', to: '/settings', icon: SlidersHorizontal, letter: 'x', group: 'operate' },
];
