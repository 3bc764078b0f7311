#include "tests/bench/onednn_product.h"

#include <omp.h>

#include <dnnl.hpp>

namespace tally::bench {
namespace {

using Memory = dnnl::memory;

Memory::desc Describe(size_t rows, size_t columns, Memory::data_type type, Memory::format_tag tag) {
  return {{static_cast<int64_t>(rows), static_cast<int64_t>(columns)}, type, tag};
}

// oneDNN's handles are not const.
template <class T>
void* Handle(const T* data) {
  return const_cast<T*>(data);
}

}  // namespace

struct OneDnnProduct::Primitive {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  Memory x, w, z;
  dnnl::matmul matmul;
};

OneDnnProduct::OneDnnProduct(MatrixView<const int8_t> x, MatrixView<const int8_t> w,
                             MatrixView<int32_t> z)
    : primitive_(std::make_unique<Primitive>()) {
  omp_set_num_threads(1);
  constexpr auto kInt8 = Memory::data_type::s8;
  constexpr auto kPlain = Memory::format_tag::ab;
  const auto x_desc = Describe(x.rows, x.columns, kInt8, kPlain);
  const auto z_desc = Describe(z.rows, z.columns, Memory::data_type::s32, kPlain);
  const auto packed_desc = Describe(w.rows, w.columns, kInt8, Memory::format_tag::any);
  const dnnl::engine& engine = primitive_->engine;
  const dnnl::matmul::primitive_desc chosen({x_desc, packed_desc, z_desc}, engine);
  primitive_->x = Memory(x_desc, engine, Handle(x.data));
  primitive_->z = Memory(z_desc, engine, z.data);
  primitive_->w = Memory(chosen.weights_desc(), engine);
  Memory plain(Describe(w.rows, w.columns, kInt8, kPlain), engine, Handle(w.data));
  dnnl::reorder(plain, primitive_->w).execute(primitive_->stream, plain, primitive_->w);
  primitive_->stream.wait();
  primitive_->matmul = dnnl::matmul(chosen);
}

OneDnnProduct::~OneDnnProduct() = default;

void OneDnnProduct::Run() {
  primitive_->matmul.execute(primitive_->stream, {{DNNL_ARG_SRC, primitive_->x},
                                                  {DNNL_ARG_WEIGHTS, primitive_->w},
                                                  {DNNL_ARG_DST, primitive_->z}});
  primitive_->stream.wait();
}

}  // namespace tally::bench
