// oneDNN's product of int8 with packed weights, the peer of core/kernels/packed_gemm.h. Built only
// where oneDNN is installed (Debian: libdnnl-dev).

#ifndef TALLY_TESTS_BENCH_ONEDNN_PRODUCT_H_
#define TALLY_TESTS_BENCH_ONEDNN_PRODUCT_H_

#include <cstdint>
#include <memory>

#include "core/tensor/matrix_view.h"

namespace tally::bench {

// z = x * w on one thread. The weights are packed once; x and z are read and written at each Run.
class OneDnnProduct {
 public:
  OneDnnProduct(MatrixView<const int8_t> x, MatrixView<const int8_t> w, MatrixView<int32_t> z);
  ~OneDnnProduct();
  void Run();

 private:
  struct Primitive;
  std::unique_ptr<Primitive> primitive_;
};

}  // namespace tally::bench

#endif  // TALLY_TESTS_BENCH_ONEDNN_PRODUCT_H_
