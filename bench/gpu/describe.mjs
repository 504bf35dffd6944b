// Prints the name of the adapter, its features and its limits.

import { create } from 'webgpu'

const gpu = create([])
const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' })
if (!adapter) throw new Error('there is no adapter')
const { vendor, architecture, device, description } = adapter.info
console.log([vendor, architecture, device, description].filter(part => part !== '').join(' '))
console.log([...adapter.features].sort().join(' '))
for (const name in adapter.limits) if (typeof adapter.limits[name] === 'number') console.log(name, adapter.limits[name])
