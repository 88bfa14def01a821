/** Called at each await of the commit path; only tests of crashes set it. */
export type At = (point: string) => void | Promise<void>
