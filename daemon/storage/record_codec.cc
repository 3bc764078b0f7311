#include "daemon/storage/record_codec.h"

#include <algorithm>
#include <type_traits>

#include "core/arithmetic/check.h"
#include "core/text/strings.h"
#include "daemon/storage/hex.h"
#include "daemon/storage/little_endian.h"

// Header-only, so that the checksum is compiled under our own flags (no floating-point unit).
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace tally::storage {
namespace {

constexpr std::string_view kSegmentMagic = "TALLYJNL";
constexpr uint32_t kSegmentVersion = 1;
constexpr std::string_view kEndMagic = "TALLYAUD";
constexpr uint32_t kEndVersion = 1;
constexpr uint8_t kRecordVersion = 1;

// Offsets in the segment header.
constexpr size_t kSegmentVersionAt = 8;
constexpr size_t kSegmentPositionAt = 16;
constexpr size_t kSegmentChainAt = 24;
constexpr size_t kSegmentCheckAt = 32;

// Offsets in a segment end, and its size.
constexpr size_t kEndVersionAt = 8;
constexpr size_t kEndFirstAt = 16;
constexpr size_t kEndLastAt = 24;
constexpr size_t kEndHeadAt = 32;
constexpr size_t kEndCheckAt = 64;
constexpr size_t kEndBytes = 72;

// Offsets in the record header.
constexpr size_t kPreviousAt = 8;
constexpr size_t kPositionAt = 16;
constexpr size_t kPayloadBytesAt = 24;
constexpr size_t kPositionCountAt = 28;
constexpr size_t kTypeAt = 32;
constexpr size_t kVersionAt = 33;
constexpr size_t kHeaderCheckAt = 36;

// Offsets in the payload of SAMPLES.
constexpr size_t kFirstSequenceAt = 0;
constexpr size_t kRowBytesAt = 8;
constexpr size_t kSourceBytesAt = 12;
constexpr size_t kLabelBytesAt = 13;
constexpr size_t kSourceAt = 16;

// Payload of DIGEST and ROLLBACK: a number and a digest.
constexpr size_t kNumberAndDigestBytes = 8 + kDigestBytes;

uint64_t Checksum(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

uint32_t HeaderCheck(std::string_view header) {
  return static_cast<uint32_t>(Checksum(header.substr(kPreviousAt, kHeaderCheckAt - kPreviousAt)) &
                               0xffffffffu);
}

size_t Padded(size_t bytes) {
  return (bytes + kRecordAlignment - 1) / kRecordAlignment * kRecordAlignment;
}

void Pad(std::string& out) { out.append(Padded(out.size()) - out.size(), '\0'); }

// Of the pieces as one, without the checksum's own place at their beginning.
uint64_t Checksum(const EncodedRecord& record) {
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  for (std::string_view piece : record.pieces()) {
    if (piece.data() == record.head.data()) piece.remove_prefix(kPreviousAt);
    XXH3_64bits_update(&state, piece.data(), piece.size());
  }
  return XXH3_64bits_digest(&state);
}

// The smallest width that holds every label: one byte a sample for up to 256 classes.
uint8_t LabelBytesFor(const std::vector<uint32_t>& labels) {
  const uint32_t greatest = *std::max_element(labels.begin(), labels.end());
  return greatest <= 0xff ? 1 : greatest <= 0xffff ? 2 : 4;
}

template <typename T>
void AppendLabels(const std::vector<uint32_t>& labels, std::string& out) {
  for (const uint32_t label : labels) AppendLittleEndian(static_cast<T>(label), out);
}

uint32_t LoadLabel(std::string_view bytes, size_t offset, size_t label_bytes) {
  if (label_bytes == 1) return LoadLittleEndian<uint8_t>(bytes, offset);
  if (label_bytes == 2) return LoadLittleEndian<uint16_t>(bytes, offset);
  return LoadLittleEndian<uint32_t>(bytes, offset);
}

std::vector<uint32_t> LoadLabels(std::string_view bytes, size_t label_bytes) {
  std::vector<uint32_t> labels(bytes.size() / label_bytes);
  for (size_t i = 0; i < labels.size(); ++i) {
    labels[i] = LoadLabel(bytes, i * label_bytes, label_bytes);
  }
  return labels;
}

// The encoders append a payload without the padding at its end.
void AppendPayload(const SamplesRecord& samples, EncodedRecord& record) {
  const size_t count = samples.labels.size();
  TALLY_CHECK(count > 0 && samples.rows.size() % count == 0);
  TALLY_CHECK(samples.rows.size() >= count && samples.rows.size() < kPayloadBytesMax / 2);
  TALLY_CHECK(samples.source.size() <= 0xff);
  const uint8_t label_bytes = LabelBytesFor(samples.labels);
  std::string& out = record.head;
  AppendLittleEndian(samples.first_sequence, out);
  AppendLittleEndian(static_cast<uint32_t>(samples.rows.size() / count), out);
  AppendLittleEndian(static_cast<uint8_t>(samples.source.size()), out);
  AppendLittleEndian(label_bytes, out);
  AppendLittleEndian(uint16_t{0}, out);
  out.append(samples.source);
  Pad(out);
  record.rows = samples.rows;
  std::string& tail = record.tail;
  tail.append(Padded(samples.rows.size()) - samples.rows.size(), '\0');
  if (label_bytes == 1) AppendLabels<uint8_t>(samples.labels, tail);
  if (label_bytes == 2) AppendLabels<uint16_t>(samples.labels, tail);
  if (label_bytes == 4) AppendLabels<uint32_t>(samples.labels, tail);
}

void AppendPayload(const FlushRecord&, EncodedRecord&) {}

void AppendNumberAndDigest(uint64_t number, std::string_view hex, std::string& out) {
  const std::optional<std::string> digest = DigestFromHex(hex);
  TALLY_CHECK(digest.has_value());
  AppendLittleEndian(number, out);
  out.append(*digest);
}

void AppendPayload(const DigestRecord& digest, EncodedRecord& record) {
  AppendNumberAndDigest(digest.step, digest.state_digest, record.head);
}

void AppendPayload(const RollbackRecord& rollback, EncodedRecord& record) {
  AppendNumberAndDigest(rollback.target_position, rollback.file_digest, record.head);
}

absl::Status Malformed(std::string_view what) {
  return absl::DataLossError(text::StrCat("record breaks the format: ", what));
}

absl::StatusOr<RecordBody> DecodeSamples(const RecordHeader& header, std::string_view payload) {
  if (payload.size() < kSourceAt) return Malformed("SAMPLES is too short");
  const uint64_t count = header.position_count;
  const uint64_t row_bytes = LoadLittleEndian<uint32_t>(payload, kRowBytesAt);
  const size_t source_bytes = LoadLittleEndian<uint8_t>(payload, kSourceBytesAt);
  const size_t label_bytes = LoadLittleEndian<uint8_t>(payload, kLabelBytesAt);
  if (label_bytes != 1 && label_bytes != 2 && label_bytes != 4) {
    return Malformed(text::StrCat("labels of ", label_bytes, " bytes"));
  }
  // Bounded before anything is added, so that no sum below can wrap, on 32-bit machines neither.
  if (count == 0 || row_bytes == 0 || count > payload.size() ||
      row_bytes > payload.size() / count) {
    return Malformed(text::StrCat(count, " rows of ", row_bytes, " bytes do not fit"));
  }
  const uint64_t rows_bytes = row_bytes * count;
  const uint64_t rows_at = Padded(kSourceAt + source_bytes);
  const uint64_t labels_at = rows_at + Padded(static_cast<size_t>(rows_bytes));
  if (payload.size() != labels_at + count * label_bytes) {
    return Malformed(text::StrCat("SAMPLES has ", payload.size(), " bytes, its fields say ",
                                  labels_at + count * label_bytes));
  }
  SamplesRecord samples;
  samples.source = payload.substr(kSourceAt, source_bytes);
  samples.first_sequence = LoadLittleEndian<uint64_t>(payload, kFirstSequenceAt);
  samples.rows = payload.substr(static_cast<size_t>(rows_at), static_cast<size_t>(rows_bytes));
  samples.labels = LoadLabels(payload.substr(static_cast<size_t>(labels_at)), label_bytes);
  return samples;
}

}  // namespace

std::string EncodeSegmentHeader(const SegmentHeader& header) {
  std::string bytes(kSegmentMagic);
  AppendLittleEndian(kSegmentVersion, bytes);
  AppendLittleEndian(uint32_t{0}, bytes);
  AppendLittleEndian(header.first_position, bytes);
  AppendLittleEndian(header.chain, bytes);
  AppendLittleEndian(Checksum(bytes), bytes);
  TALLY_CHECK(bytes.size() == kSegmentHeaderBytes);
  return bytes;
}

absl::StatusOr<SegmentHeader> DecodeSegmentHeader(std::string_view bytes) {
  if (bytes.size() < kSegmentHeaderBytes) {
    return absl::DataLossError(
        text::StrCat("segment header of ", bytes.size(), " bytes, expected ", kSegmentHeaderBytes));
  }
  if (bytes.substr(0, kSegmentMagic.size()) != kSegmentMagic) {
    return absl::DataLossError("no segment of a journal: it does not begin with TALLYJNL");
  }
  // Every version keeps magic, version and check in these places, so that a flipped bit is not
  // taken for a newer version.
  if (LoadLittleEndian<uint64_t>(bytes, kSegmentCheckAt) !=
      Checksum(bytes.substr(0, kSegmentCheckAt))) {
    return absl::DataLossError("segment header does not match its checksum");
  }
  const uint32_t version = LoadLittleEndian<uint32_t>(bytes, kSegmentVersionAt);
  if (version != kSegmentVersion) {
    return absl::FailedPreconditionError(text::StrCat("journal format version ", version,
                                                      ", this program reads ", kSegmentVersion,
                                                      ": use the newer tallyd that wrote it"));
  }
  return SegmentHeader{.first_position = LoadLittleEndian<uint64_t>(bytes, kSegmentPositionAt),
                       .chain = LoadLittleEndian<uint64_t>(bytes, kSegmentChainAt)};
}

std::string EncodeSegmentEnd(const SegmentEnd& end) {
  const std::optional<std::string> head = DigestFromHex(end.chain_head);
  TALLY_CHECK(head.has_value());
  std::string bytes(kEndMagic);
  AppendLittleEndian(kEndVersion, bytes);
  AppendLittleEndian(uint32_t{0}, bytes);
  AppendLittleEndian(end.first_position, bytes);
  AppendLittleEndian(end.last_position, bytes);
  bytes.append(*head);
  AppendLittleEndian(Checksum(bytes), bytes);
  TALLY_CHECK(bytes.size() == kEndBytes);
  return bytes;
}

absl::StatusOr<SegmentEnd> DecodeSegmentEnd(std::string_view bytes) {
  // A newer version may be longer, but keeps what is tested here in its place.
  if (bytes.size() < kEndBytes) {
    return absl::DataLossError(
        text::StrCat("segment end of ", bytes.size(), " bytes, expected ", kEndBytes));
  }
  if (bytes.substr(0, kEndMagic.size()) != kEndMagic) {
    return absl::DataLossError("no end of a segment: it does not begin with TALLYAUD");
  }
  if (LoadLittleEndian<uint64_t>(bytes, kEndCheckAt) != Checksum(bytes.substr(0, kEndCheckAt))) {
    return absl::DataLossError("segment end does not match its checksum");
  }
  const uint32_t version = LoadLittleEndian<uint32_t>(bytes, kEndVersionAt);
  if (version != kEndVersion) {
    return absl::FailedPreconditionError(text::StrCat("segment end of format version ", version,
                                                      ", this program reads ", kEndVersion,
                                                      ": use the newer tallyd that wrote it"));
  }
  if (bytes.size() != kEndBytes) {
    return absl::DataLossError(
        text::StrCat("segment end of ", bytes.size(), " bytes, expected ", kEndBytes));
  }
  return SegmentEnd{.first_position = LoadLittleEndian<uint64_t>(bytes, kEndFirstAt),
                    .last_position = LoadLittleEndian<uint64_t>(bytes, kEndLastAt),
                    .chain_head = ToHex(bytes.substr(kEndHeadAt, kEndCheckAt - kEndHeadAt))};
}

uint64_t EncodeRecord(const RecordBody& body, uint64_t first_position, uint64_t previous,
                      EncodedRecord& out) {
  std::string& head = out.head;
  head.assign(kRecordHeaderBytes, '\0');
  out.rows = {};
  out.tail.clear();
  std::visit([&out](const auto& record) { AppendPayload(record, out); }, body);
  const size_t payload_bytes = out.size_bytes() - kRecordHeaderBytes;
  TALLY_CHECK(payload_bytes <= kPayloadBytesMax);
  out.tail.append(Padded(payload_bytes) - payload_bytes, '\0');
  StoreLittleEndian(previous, kPreviousAt, head);
  StoreLittleEndian(first_position, kPositionAt, head);
  StoreLittleEndian(static_cast<uint32_t>(payload_bytes), kPayloadBytesAt, head);
  StoreLittleEndian(static_cast<uint32_t>(PositionCount(body)), kPositionCountAt, head);
  StoreLittleEndian(static_cast<uint8_t>(TypeOf(body)), kTypeAt, head);
  StoreLittleEndian(kRecordVersion, kVersionAt, head);
  StoreLittleEndian(HeaderCheck(head), kHeaderCheckAt, head);
  const uint64_t checksum = Checksum(out);
  StoreLittleEndian(checksum, 0, head);
  return checksum;
}

std::optional<RecordHeader> DecodeRecordHeader(std::string_view bytes) {
  if (LoadLittleEndian<uint32_t>(bytes, kHeaderCheckAt) != HeaderCheck(bytes)) return std::nullopt;
  return RecordHeader{.checksum = LoadLittleEndian<uint64_t>(bytes, 0),
                      .previous = LoadLittleEndian<uint64_t>(bytes, kPreviousAt),
                      .first_position = LoadLittleEndian<uint64_t>(bytes, kPositionAt),
                      .payload_bytes = LoadLittleEndian<uint32_t>(bytes, kPayloadBytesAt),
                      .position_count = LoadLittleEndian<uint32_t>(bytes, kPositionCountAt),
                      .type = LoadLittleEndian<uint8_t>(bytes, kTypeAt),
                      .version = LoadLittleEndian<uint8_t>(bytes, kVersionAt)};
}

bool ChecksumIsRight(std::string_view record) {
  return LoadLittleEndian<uint64_t>(record, 0) == Checksum(record.substr(kPreviousAt));
}

absl::StatusOr<RecordBody> DecodeBody(const RecordHeader& header, std::string_view record) {
  const RecordType type{header.type};
  if (header.version != kRecordVersion || type < RecordType::kSamples ||
      type > RecordType::kRollback) {
    return absl::FailedPreconditionError(
        text::StrCat("record of type ", uint32_t{header.type}, ", format version ",
                     uint32_t{header.version}, "; this program reads types 1 to 4 of version ",
                     uint32_t{kRecordVersion}, ": use the newer tallyd that wrote it"));
  }
  const std::string_view payload = record.substr(kRecordHeaderBytes, header.payload_bytes);
  if (type == RecordType::kSamples) return DecodeSamples(header, payload);
  if (header.position_count != 1) return Malformed("a control record takes one position");
  const size_t expected_bytes = type == RecordType::kFlush ? 0 : kNumberAndDigestBytes;
  if (payload.size() != expected_bytes) {
    return Malformed(
        text::StrCat("control record of ", payload.size(), " bytes, expected ", expected_bytes));
  }
  if (type == RecordType::kFlush) return FlushRecord();
  const uint64_t number = LoadLittleEndian<uint64_t>(payload, 0);
  const std::string digest = ToHex(payload.substr(8));
  if (type == RecordType::kDigest) return DigestRecord{number, digest};
  return RollbackRecord{number, digest};
}

}  // namespace tally::storage
