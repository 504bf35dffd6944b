export declare const leanForTsdown: { name: string; transform(code: string, id: string): { code: string; map: null } | null }
