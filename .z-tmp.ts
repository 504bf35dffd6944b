import * as z from 'zod'
const s = z.strictObject({ a: z.int('w').min(1, 'w').default(8).describe('A'), living: z.strictObject({channel: z.int('c')}).nullable().default(null),
 d: z.discriminatedUnion('shape', [z.strictObject({shape: z.literal('circle'), r: z.tuple([z.number('n'), z.number('n')], 'two').default([0,1])}), z.strictObject({shape: z.literal('rect')})], 'circle or rect').default({shape:'circle', r:[0,1]}) })
console.log(JSON.stringify(z.toJSONSchema(s,{io:'input'})))
for (const v of [{a:'x'},{a:0},{a:1.5},{living:5},{living:{channel:'x',b:1}},{d:{shape:'x'}},{d:{shape:'circle',r:[1]}},{d:{shape:'circle',r:[1,'u']}},{d:3},{zz:1}, {d:{shape:'circle',q:1}}, {a:null}]) console.log(JSON.stringify(v), JSON.stringify(s.safeParse(v).error?.issues))
