/** What a movement asks of the body that a member may have to avoid (rule W3). */
export type Tag = (typeof TAGS)[number];

/** Every tag that a profile may exclude, in a fixed order. */
export const TAGS = ['grip-heavy', 'impact', 'inverted', 'overhead'] as const;
