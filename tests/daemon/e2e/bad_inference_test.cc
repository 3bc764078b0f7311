// Goal: every kind of bad inference request over the network gets its own answer, and changes
// nothing.
// Method: a table of named cases; each is sent to the real daemon and must return its status
// code, a message that says what was wrong, and the field to blame; afterwards the model's
// digest, its sources and the list of models are what they were.

#include <functional>

#include "core/text/strings.h"
#include "tests/daemon/e2e/bad_input.h"

namespace tally::e2e {
namespace {

using absl::StatusCode;

inference::ModelInferRequest GoodInfer() {
  inference::ModelInferRequest request;
  request.set_model_name("small");
  auto& input = *request.add_inputs();
  input.set_name("input");
  input.set_datatype("UINT8");
  input.add_shape(2);
  input.add_shape(12);
  request.add_raw_input_contents(std::string(24, 'x'));
  return request;
}

std::vector<BadInput> InferenceCases() {
  struct Case {
    std::string name;
    std::function<void(inference::ModelInferRequest&)> edit;
    StatusCode code;
    std::string message;
    std::string field;
  };
  const auto typed = [](auto& r) -> inference::InferTensorContents& {
    r.clear_raw_input_contents();
    return *r.mutable_inputs(0)->mutable_contents();
  };
  const std::vector<Case> cases = {
      {"unknown model", [](auto& r) { r.set_model_name("x"); }, StatusCode::kNotFound, "\"x\"", ""},
      {"bad version", [](auto& r) { r.set_model_version("latest"); }, StatusCode::kNotFound,
       "latest", ""},
      {"other version", [](auto& r) { r.set_model_version("999999"); }, StatusCode::kNotFound,
       "999999", ""},
      {"no input", [](auto& r) { r.clear_inputs(); }, StatusCode::kInvalidArgument, "0 tensors",
       "inputs"},
      {"two inputs", [](auto& r) { *r.add_inputs() = r.inputs(0); }, StatusCode::kInvalidArgument,
       "2 tensors", "inputs"},
      {"unknown input", [](auto& r) { r.mutable_inputs(0)->set_name("image"); },
       StatusCode::kInvalidArgument, "image", "inputs[0].name"},
      {"wrong datatype", [](auto& r) { r.mutable_inputs(0)->set_datatype("INT8"); },
       StatusCode::kInvalidArgument, "INT8", "inputs[0].datatype"},
      {"unknown datatype", [](auto& r) { r.mutable_inputs(0)->set_datatype("uint8"); },
       StatusCode::kInvalidArgument, "uint8", "inputs[0].datatype"},
      {"float tensor", [](auto& r) { r.mutable_inputs(0)->set_datatype("FP32"); },
       StatusCode::kInvalidArgument, "integers", "inputs[0].datatype"},
      {"double tensor", [](auto& r) { r.mutable_inputs(0)->set_datatype("FP64"); },
       StatusCode::kInvalidArgument, "integers", "inputs[0].datatype"},
      {"wrong shape", [](auto& r) { r.mutable_inputs(0)->set_shape(1, 13); },
       StatusCode::kInvalidArgument, "13", "inputs[0].shape"},
      {"no shape", [](auto& r) { r.mutable_inputs(0)->clear_shape(); },
       StatusCode::kInvalidArgument, "[rows, 3, 4]", "inputs[0].shape"},
      {"negative rows", [](auto& r) { r.mutable_inputs(0)->set_shape(0, -1); },
       StatusCode::kInvalidArgument, "-1", "inputs[0].shape"},
      {"too many rows", [](auto& r) { r.mutable_inputs(0)->set_shape(0, 4097); },
       StatusCode::kInvalidArgument, "4097", "inputs[0].shape"},
      {"short raw contents", [](auto& r) { r.mutable_raw_input_contents(0)->pop_back(); },
       StatusCode::kInvalidArgument, "23 bytes", "raw_input_contents[0]"},
      {"two raw contents", [](auto& r) { r.add_raw_input_contents(std::string("x")); },
       StatusCode::kInvalidArgument, "2 entries", "raw_input_contents"},
      {"mixed raw and typed",
       [](auto& r) { r.mutable_inputs(0)->mutable_contents()->add_uint_contents(1); },
       StatusCode::kInvalidArgument, "raw_input_contents", "inputs[0].contents"},
      {"neither raw nor typed", [](auto& r) { r.clear_raw_input_contents(); },
       StatusCode::kInvalidArgument, "missing", "inputs[0].contents"},
      {"float contents", [typed](auto& r) { typed(r).add_fp32_contents(0x3f800000); },
       StatusCode::kInvalidArgument, "uint_contents", "inputs[0].contents.fp32_contents"},
      {"elements in another field", [typed](auto& r) { typed(r).add_int_contents(1); },
       StatusCode::kInvalidArgument, "uint_contents", "inputs[0].contents.int_contents"},
      {"too few elements", [typed](auto& r) { typed(r).add_uint_contents(1); },
       StatusCode::kInvalidArgument, "1 elements", "inputs[0].contents.uint_contents"},
      {"element out of range",
       [typed](auto& r) {
         for (int i = 0; i < 24; ++i) typed(r).add_uint_contents(i == 5 ? 256 : 0);
       },
       StatusCode::kInvalidArgument, "256", "inputs[0].contents.uint_contents[5]"},
      {"unknown output", [](auto& r) { r.add_outputs()->set_name("logits"); },
       StatusCode::kInvalidArgument, "logits", "outputs[0].name"},
  };
  std::vector<BadInput> all;
  for (const Case& c : cases) {
    all.push_back({text::StrCat("infer: ", c.name),
                   [edit = c.edit](World& world) {
                     auto request = GoodInfer();
                     edit(request);
                     grpc::ClientContext context;
                     inference::ModelInferResponse response;
                     return FromStub(world.inference.ModelInfer(&context, request, &response));
                   },
                   c.code, c.message, c.field});
  }
  return all;
}

TEST_F(BadInputTest, BadInferenceRequestsAreRefusedAndLeaveNoTrace) { TryAll(InferenceCases()); }

}  // namespace
}  // namespace tally::e2e
