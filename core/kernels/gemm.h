// Matrix products of integers that cannot wrap.
//
// One function a job, written plainly for the vectoriser. Hand-tuned versions for single
// instruction sets belong beside these, must give the same bits, and are tested against
// reference.h.

#ifndef TALLY_CORE_KERNELS_GEMM_H_
#define TALLY_CORE_KERNELS_GEMM_H_

#include <cstdint>

#include "core/tensor/matrix_view.h"

namespace tally::kernels {

// z = x * w, exactly.   x [rows, k]   w [k, columns]   z [rows, columns]
//
// w_magnitude_max bounds |w|, in [1, 32767]; x may be any int16. Products are summed in int32 over
// runs of k that cannot wrap, whatever the values: a run is as long as max|x| of its inputs and
// w_magnitude_max allow. Runs are combined in int64, which the caller has shown to suffice (P7).
// Zero inputs cost next to nothing. Never allocates.
void Gemm(MatrixView<const int16_t> x, MatrixView<const int16_t> w, int32_t w_magnitude_max,
          MatrixView<int64_t> z);

// z = x * w^T, exactly.   x [rows, k]   w [columns, k]   z [rows, columns]. Otherwise as Gemm.
void GemmTransposed(MatrixView<const int16_t> x, MatrixView<const int16_t> w,
                    int32_t w_magnitude_max, MatrixView<int64_t> z);

// The same two products for x beyond 16 bits. The caller has shown that no sum leaves int64.
void WideGemm(MatrixView<const int64_t> x, MatrixView<const int16_t> w, MatrixView<int64_t> z);
void WideGemmTransposed(MatrixView<const int64_t> x, MatrixView<const int16_t> w,
                        MatrixView<int64_t> z);

}  // namespace tally::kernels

#endif  // TALLY_CORE_KERNELS_GEMM_H_
