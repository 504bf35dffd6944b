/* The peak speed of one core with 128-bit fused multiply-adds: prints GFLOP/s.
 *
 * Ten independent chains of v = v·x + y hide the latency of the instruction; nothing is loaded or stored. It is the
 * ceiling of WASM SIMD, and it shows whether something else is using the core at the moment. Build: cc -O2 -march=native
 * -ffp-contract=fast (the compiler then fuses; without FMA hardware, the ceiling is that of multiply and add).
 */
#include <stdio.h>
#include <time.h>

#if defined(__x86_64__) || defined(__i386__)
#define VECTOR "+x"
#else
#define VECTOR "+w"
#endif
#define KEEP(a, b, c, d, e) __asm__ volatile("" : VECTOR(a), VECTOR(b), VECTOR(c), VECTOR(d), VECTOR(e))

typedef float v4 __attribute__((vector_size(16)));

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

static double run(long loops) {
  v4 x = {0.999f, 0.999f, 0.999f, 0.999f}, y = {1e-3f, 1e-3f, 1e-3f, 1e-3f};
  v4 a = y, b = y, c = y, d = y, e = y, f = y, g = y, h = y, i = y, j = y;
  double start = now();
  for (long n = 0; n < loops; n++) {
    a = a * x + y; b = b * x + y; c = c * x + y; d = d * x + y; e = e * x + y;
    f = f * x + y; g = g * x + y; h = h * x + y; i = i * x + y; j = j * x + y;
    /* Otherwise the compiler would compute equal chains only once. */
    KEEP(a, b, c, d, e);
    KEEP(f, g, h, i, j);
  }
  double seconds = now() - start;
  volatile v4 sink = a + b + c + d + e + f + g + h + i + j;
  (void)sink;
  return loops * 10.0 * 8 / seconds / 1e9;
}

int main(void) {
  double best = 0;
  for (int k = 0; k < 3; k++) {
    double rate = run(40000000);
    if (rate > best) best = rate;
  }
  printf("%.1f\n", best);
  return 0;
}
