/*
 * The shapes of `windtunnel bench matmul` in OpenBLAS on one core: what a library gains that may fuse multiplication and
 * addition, use vectors as wide as the processor has, and add in any order. Prints the fastest of many samples.
 */
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SAMPLES = 201, WARM_UP = 20 };

static const double SAMPLE_FLOPS = 4e6;

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec + now.tv_nsec * 1e-9;
}

static float *drawn(int count) {
  float *values = aligned_alloc(64, (count * sizeof(float) + 63) / 64 * 64);
  for (int i = 0; i < count; i++) values[i] = (float)rand() / RAND_MAX - 0.5f;
  return values;
}

static double sgemm_gflops(int rows, int input_size, int output_size) {
  float *x = drawn(rows * input_size), *weights = drawn(output_size * input_size), *out = drawn(rows * output_size);
  const double flops = 2.0 * rows * input_size * output_size;
  const int repetitions = (int)(SAMPLE_FLOPS / flops) + 1;
  double best = 0;
  for (int sample = -WARM_UP; sample < SAMPLES; sample++) {
    const double start = seconds();
    for (int i = 0; i < repetitions; i++) {
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, output_size, input_size, 1, x, input_size, weights,
                  input_size, 0, out, output_size);
    }
    const double speed = repetitions * flops / (seconds() - start) / 1e9;
    if (sample >= 0 && speed > best) best = speed;
  }
  free(x);
  free(weights);
  free(out);
  return best;
}

int main(void) {
  static const int input_sizes[] = {256, 128}, row_counts[] = {4, 16, 64, 256};
  printf("%s\n", openblas_get_config());
  for (int i = 0; i < 2; i++) {
    for (int j = 0; j < 4; j++) {
      const double speed = sgemm_gflops(row_counts[j], input_sizes[i], 256);
      printf("%3d x %d x 256  %6.1f GF/s\n", row_counts[j], input_sizes[i], speed);
    }
  }
  return 0;
}
