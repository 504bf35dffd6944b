/**
 * The learned kinds of perception that are not sums over windows, for one cell in plain JavaScript. Each is the text of a
 * function of the part, of `weight(name)`, which returns an array, and of the page's tools (automaton.ts). Kinds without a text
 * cannot be exported.
 */
export const perceptionTexts: Readonly<Record<string, string | undefined>> = {
  position: `({ outputs, bands }, weight, { multiply }) => {
  const features = u => [u, ...Array.from({ length: bands }, (_, j) => 2 ** j * Math.PI * u).flatMap(v => [Math.sin(v), Math.cos(v)])]
  return ({ height, width }, y, x) => { // φ(u_y) · W_y + φ(u_x) · W_x
    const out = new Float64Array(outputs)
    multiply([...features((2 * y + 1) / height - 1), ...features((2 * x + 1) / width - 1)], weight('weight'), out)
    return out
  }
}`,
  residualConv: `({ size, dilation, activation }, weight, { windowOf, convolve, multiply, activations, cellOf }) => {
  const window = windowOf(size, dilation)
  return (world, y, x) => { // skip · s + k2 · σ(k1 ∗ s + b1) + b2
    const hidden = Float64Array.from(weight('b1')), out = Float64Array.from(weight('b2'))
    convolve(world, y, x, window, weight('k1'), hidden)
    multiply(hidden.map(v => activations[activation](v, 0.2)), weight('k2'), out)
    multiply(cellOf(world, y, x), weight('skip'), out)
    return out
  }
}`,
}
