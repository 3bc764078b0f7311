// Goal: an inference request is refused with the field to blame, or answered exactly as the
// protocol says. Method: one valid request, spoilt in one way a test, against a predictor whose
// scores are known.

#include "daemon/rpc/infer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/text/status_macros.h"
#include "tests/daemon/rpc/fakes.h"

namespace tally::rpc {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class InferTest : public ::testing::Test {
 protected:
  InferTest() { Reset(ElementType::kUint8); }

  void Reset(ElementType type) {
    host_ = std::make_unique<FakeHost>(FakeSpec("m", type));
    request_.Clear();
    request_.set_model_name("m");
    request_.set_id("call-7");
    auto* input = request_.add_inputs();
    input->set_name("input");
    input->set_datatype(std::string(DatatypeName(type)));
    for (const int64_t dimension : {2, 2, 3}) input->add_shape(dimension);
  }
  void UseRaw() {
    request_.add_raw_input_contents("\x01\x01\x01\x01\x01\x01\x02\x02\x02\x02\x02\x02");
  }
  inference::InferTensorContents* UseTyped() {
    return request_.mutable_inputs(0)->mutable_contents();
  }

  absl::Status Run() {
    response_.Clear();
    return Infer(*host_->snapshot(), request_, limits_, response_);
  }
  // "field | message" of the refusal; the response must stay empty.
  std::string Refusal() {
    const absl::Status status = Run();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_EQ(response_.ByteSizeLong(), 0u);
    const auto field = status.GetPayload(kFieldPayloadUrl);
    return (field ? std::string(*field) : "") + " | " + std::string(status.message());
  }

  std::unique_ptr<FakeHost> host_;
  LiveLimits limits_;
  inference::ModelInferRequest request_;
  inference::ModelInferResponse response_;
};

TEST_F(InferTest, RawInputsGetRawOutputs) {
  UseRaw();
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(response_.model_name(), "m");
  EXPECT_EQ(response_.model_version(), "40");
  EXPECT_EQ(response_.id(), "call-7");
  ASSERT_EQ(response_.outputs_size(), 2);
  EXPECT_EQ(response_.outputs(0).name(), "scores");
  EXPECT_EQ(response_.outputs(0).datatype(), "INT32");
  EXPECT_EQ(response_.outputs(0).shape(0), 2);
  EXPECT_EQ(response_.outputs(0).shape(1), 3);
  EXPECT_FALSE(response_.outputs(0).has_contents());
  const std::string scores("\0\0\0\0\x06\0\0\0\x02\0\0\0\0\0\0\0\x01\0\0\0\x0c\0\0\0", 24);
  EXPECT_EQ(response_.raw_output_contents(0), scores);
  EXPECT_EQ(response_.outputs(1).name(), "label");
  EXPECT_EQ(response_.outputs(1).datatype(), "BYTES");
  EXPECT_EQ(response_.raw_output_contents(1), std::string("\3\0\0\0bee\3\0\0\0cat", 14));
}

TEST_F(InferTest, TypedInputsGetTypedOutputs) {
  for (const uint32_t value : {1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2}) {
    UseTyped()->add_uint_contents(value);
  }
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(response_.raw_output_contents_size(), 0);
  EXPECT_THAT(response_.outputs(0).contents().int_contents(),
              ::testing::ElementsAre(0, 6, 2, 0, 1, 12));
  EXPECT_THAT(response_.outputs(1).contents().bytes_contents(),
              ::testing::ElementsAre("bee", "cat"));
}

TEST_F(InferTest, OnlyTheOutputsAskedForAreReturnedInThatOrder) {
  UseRaw();
  request_.add_outputs()->set_name("label");
  ASSERT_TRUE(Run().ok());
  ASSERT_EQ(response_.outputs_size(), 1);
  EXPECT_EQ(response_.outputs(0).name(), "label");
  request_.add_outputs()->set_name("scores");
  ASSERT_TRUE(Run().ok());
  ASSERT_EQ(response_.outputs_size(), 2);
  EXPECT_EQ(response_.outputs(1).name(), "scores");
}

TEST_F(InferTest, AFlatShapeIsAsGood) {
  UseRaw();
  auto* shape = request_.mutable_inputs(0)->mutable_shape();
  shape->Clear();
  shape->Add(2);
  shape->Add(6);
  EXPECT_TRUE(Run().ok());
}

TEST_F(InferTest, NegativeElementsTravelTyped) {
  Reset(ElementType::kInt8);
  for (int i = 0; i < 12; ++i) UseTyped()->add_int_contents(-128 + i);
  EXPECT_TRUE(Run().ok());
  Reset(ElementType::kInt16);
  for (int i = 0; i < 12; ++i) UseTyped()->add_int_contents(-32768 + i);
  EXPECT_TRUE(Run().ok());
}

TEST_F(InferTest, TheCurrentVersionIsServedAndNoOther) {
  UseRaw();
  request_.set_model_version("40");
  EXPECT_TRUE(Run().ok());
  for (const char* version : {"20", "040", "latest"}) {
    request_.set_model_version(version);
    const absl::Status status = Run();
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(version), HasSubstr("40")));
  }
}

TEST_F(InferTest, FloatingPointTensorsAreRefusedByName) {
  for (const char* datatype : {"FP16", "FP32", "FP64", "BF16"}) {
    UseRaw();
    request_.mutable_inputs(0)->set_datatype(datatype);
    EXPECT_THAT(Refusal(), AllOf(HasSubstr("inputs[0].datatype | "), HasSubstr(datatype),
                                 HasSubstr("integers only"), HasSubstr("UINT8")));
  }
}

TEST_F(InferTest, EveryOtherDatatypeIsRefusedWithTheRightOne) {
  for (const char* datatype : {"BOOL", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32",
                               "INT64", "BYTES", "uint8", ""}) {
    UseRaw();
    request_.mutable_inputs(0)->set_datatype(datatype);
    EXPECT_THAT(Refusal(), AllOf(HasSubstr("inputs[0].datatype | "), HasSubstr("expected UINT8")));
  }
}

TEST_F(InferTest, WrongShapesAreRefusedWithTheRightOnes) {
  using Shape = std::vector<int64_t>;
  for (const Shape& shape : {Shape{}, Shape{2}, Shape{2, 5}, Shape{2, 3, 2}, Shape{2, 2, 3, 1},
                             Shape{12}, Shape{2, -1, 3}, Shape{2, 4294967298, 3}}) {
    Reset(ElementType::kUint8);
    UseRaw();
    request_.mutable_inputs(0)->mutable_shape()->Assign(shape.begin(), shape.end());
    EXPECT_THAT(Refusal(), AllOf(HasSubstr("inputs[0].shape | "), HasSubstr("[rows, 2, 3]"),
                                 HasSubstr("[rows, 6]")));
  }
}

TEST_F(InferTest, TheNumberOfRowsHasALimit) {
  UseRaw();
  limits_.rows = 1;
  EXPECT_THAT(Refusal(),
              AllOf(HasSubstr("inputs[0].shape | "), HasSubstr("2 rows"), HasSubstr("1 to 1")));
  for (const int64_t rows : {int64_t{0}, int64_t{-1}, std::numeric_limits<int64_t>::max()}) {
    request_.mutable_inputs(0)->set_shape(0, rows);
    EXPECT_THAT(Refusal(), HasSubstr("inputs[0].shape | "));
  }
}

TEST_F(InferTest, ManyRowsOfManyClassesAreRefusedWithTheNumbers) {
  ModelSpec spec = FakeSpec("m");
  spec.classes = 65536;
  spec.labels.clear();
  host_ = std::make_unique<FakeHost>(spec);
  const auto use_rows = [this](int rows) {
    request_.mutable_inputs(0)->set_shape(0, rows);
    request_.clear_raw_input_contents();
    request_.add_raw_input_contents(std::string(static_cast<size_t>(rows) * 6, '\1'));
  };
  use_rows(4096);
  EXPECT_THAT(Refusal(),
              AllOf(HasSubstr("inputs[0].shape | "),
                    HasSubstr("4096 rows of 65536 classes have 1073741824 bytes"),
                    HasSubstr("limits.message allows 4194304"), HasSubstr("at most 16 rows")));
  use_rows(17);
  EXPECT_THAT(Refusal(), HasSubstr("17 rows of 65536 classes"));
  use_rows(16);
  EXPECT_TRUE(Run().ok());
  limits_.message_bytes = 4096;
  use_rows(1);
  EXPECT_TRUE(Run().ok());
}

TEST_F(InferTest, RawContentsMustHaveExactlyTheSizeOfTheShape) {
  for (const size_t bytes : {size_t{0}, size_t{11}, size_t{13}, size_t{24}}) {
    request_.clear_raw_input_contents();
    request_.add_raw_input_contents(std::string(bytes, 'x'));
    EXPECT_THAT(Refusal(), AllOf(HasSubstr("raw_input_contents[0] | "), HasSubstr("has 12")));
  }
}

TEST_F(InferTest, RawContentsNeedOneEntryAnInputAndNoContentsBeside) {
  UseRaw();
  UseRaw();
  EXPECT_THAT(Refusal(), HasSubstr("raw_input_contents | "));
  request_.clear_raw_input_contents();
  UseRaw();
  UseTyped();
  EXPECT_THAT(Refusal(), HasSubstr("inputs[0].contents | "));
}

TEST_F(InferTest, MissingContentsAreRefused) {
  EXPECT_THAT(Refusal(), HasSubstr("inputs[0].contents | "));
  UseTyped();
  EXPECT_THAT(Refusal(), HasSubstr("inputs[0].contents.uint_contents | "));
}

TEST_F(InferTest, TypedContentsInAnotherFieldAreRefusedByName) {
  UseTyped()->add_fp32_contents(0x3f800000);
  EXPECT_THAT(Refusal(), HasSubstr("inputs[0].contents.fp32_contents | "));
  for (int i = 0; i < 12; ++i) UseTyped()->add_uint_contents(1);
  EXPECT_THAT(Refusal(),
              AllOf(HasSubstr("inputs[0].contents.fp32_contents | "), HasSubstr("uint_contents")));
  UseTyped()->clear_fp32_contents();
  UseTyped()->add_bool_contents(true);
  EXPECT_THAT(Refusal(), HasSubstr("inputs[0].contents.bool_contents | "));
}

TEST_F(InferTest, TypedElementsMustFitTheirDatatype) {
  for (int i = 0; i < 12; ++i) UseTyped()->add_uint_contents(i == 5 ? 256 : 255);
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("inputs[0].contents.uint_contents[5] | "),
                               HasSubstr("256; expected 0 to 255")));
  Reset(ElementType::kInt8);
  for (int i = 0; i < 12; ++i) UseTyped()->add_int_contents(i == 11 ? -129 : 127);
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("inputs[0].contents.int_contents[11] | "),
                               HasSubstr("-129; expected -128 to 127")));
  Reset(ElementType::kInt16);
  for (int i = 0; i < 12; ++i) UseTyped()->add_int_contents(i == 0 ? 32768 : 0);
  EXPECT_THAT(Refusal(), HasSubstr("inputs[0].contents.int_contents[0] | "));
}

TEST_F(InferTest, ThereIsOneInputAndItIsCalledInput) {
  UseRaw();
  request_.mutable_inputs(0)->set_name("image");
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("inputs[0].name | "), HasSubstr("\"image\"")));
  request_.mutable_inputs(0)->set_name("input");
  *request_.add_inputs() = request_.inputs(0);
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("inputs | "), HasSubstr("2 tensors")));
  request_.clear_inputs();
  EXPECT_THAT(Refusal(), HasSubstr("inputs | "));
}

TEST_F(InferTest, UnknownAndRepeatedOutputsAreRefused) {
  UseRaw();
  request_.add_outputs()->set_name("label");
  request_.add_outputs()->set_name("probability");
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("outputs[1].name | "), HasSubstr("\"probability\"")));
  request_.mutable_outputs(1)->set_name("label");
  EXPECT_THAT(Refusal(), HasSubstr("outputs[1].name | "));
}

TEST_F(InferTest, AMessageBeyondTheLimitIsRefused) {
  UseRaw();
  limits_.message_bytes = 20;
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("limits.message"), HasSubstr("20")));
}

TEST_F(InferTest, TheMetadataDescribesInputAndOutputs) {
  inference::ModelMetadataResponse metadata;
  DescribeTensors(FakeSpec("m", ElementType::kInt16), metadata);
  EXPECT_EQ(metadata.inputs(0).name(), "input");
  EXPECT_EQ(metadata.inputs(0).datatype(), "INT16");
  EXPECT_THAT(metadata.inputs(0).shape(), ::testing::ElementsAre(-1, 2, 3));
  EXPECT_THAT(metadata.outputs(0).shape(), ::testing::ElementsAre(-1, 3));
  EXPECT_EQ(metadata.outputs(1).name(), "label");
}

}  // namespace
}  // namespace tally::rpc
