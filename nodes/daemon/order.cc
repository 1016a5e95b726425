#include "nodes/daemon/order.h"

#include <absl/strings/str_cat.h>

#include <utility>

#include "nodes/client/magnet_link.h"
#include "nodes/shared/text.h"

namespace bt::nodes {
namespace {

absl::Status Wrong(std::string_view field, const char* why) {
  return absl::InvalidArgumentError(absl::StrCat(Printable(field), ": ", why));
}

// What may be said under a name, and where it goes.
class Reader {
 public:
  explicit Reader(const Json& json) : json_(json) {}

  Reader& Text(const char* field, std::string& into) {
    const Json* value = Take(field);
    if (value == nullptr) return *this;
    if (!value->is_string()) return Fail(field, "is no text");
    return TakeText(field, *value, into);
  }
  Reader& List(const char* field, std::vector<std::string>& into) {
    const Json* value = Take(field);
    if (value == nullptr) return *this;
    if (!value->is_array()) return Fail(field, "is no list of texts");
    if (value->size() > kOrderListMax) return Fail(field, "has too many entries: 64 are the most");
    for (const Json& entry : *value) {
      if (!entry.is_string()) return Fail(field, "is no list of texts");
      TakeText(field, entry, into.emplace_back());
    }
    return *this;
  }
  Reader& Number(const char* field, uint64_t most, auto& into) {
    const Json* value = Take(field);
    if (value == nullptr) return *this;
    if (!value->is_number_unsigned() || value->get<uint64_t>() > most) {
      return Fail(field, "is no number, or too large");
    }
    into = static_cast<std::remove_reference_t<decltype(into)>>(value->get<uint64_t>());
    return *this;
  }
  Reader& Flag(const char* field, bool& into) {
    const Json* value = Take(field);
    if (value == nullptr) return *this;
    if (!value->is_boolean()) return Fail(field, "is neither true nor false");
    into = value->get<bool>();
    return *this;
  }
  Reader& Seed(const char* field, SeedLimits& into) {
    const Json* value = Take(field);
    if (value == nullptr) return *this;
    const absl::Status read = ReadSeedLimit(field, *value, into);
    if (status_.ok()) status_ = read;
    return *this;
  }
  absl::Status status() const {
    if (!status_.ok() || taken_ == json_.size()) return status_;
    return absl::InvalidArgumentError("it has fields that are not known");
  }

 private:
  const Json* Take(const char* field) {
    const auto found = json_.find(field);
    if (found == json_.end()) return nullptr;
    ++taken_;
    return &*found;
  }
  Reader& TakeText(const char* field, const Json& value, std::string& into) {
    const auto& text = value.get_ref<const std::string&>();
    if (text.empty() || text.size() > kOrderTextBytesMax || text.find('\0') != std::string::npos) {
      return Fail(field, "is empty, too long, or holds a zero byte");
    }
    into = text;
    return *this;
  }
  Reader& Fail(std::string_view field, const char* why) {
    if (status_.ok()) status_ = Wrong(field, why);
    return *this;
  }

  const Json& json_;
  size_t taken_ = 0;
  absl::Status status_;
};

// The daemon works in a directory of its own.
bool IsAbsolute(const std::string& path) { return path.starts_with('/'); }

absl::Status Check(const Order& order) {
  if (order.what.empty()) return Wrong("what", "is missing");
  if (order.path.empty()) return Wrong("path", "is missing");
  if (!IsAbsolute(order.path)) return Wrong("path", "is not an absolute path");
  if (NamesTorrentFile(order) && !IsAbsolute(order.what)) return Wrong("what", "is not an absolute path");
  for (const std::string* file : {&order.trust.token_file, &order.trust.authorities_file}) {
    if (!file->empty() && !IsAbsolute(*file)) return Wrong("token_file, ca", "is not an absolute path");
  }
  const bool of_download =
      !order.select.empty() || order.download_limit != 0 || order.keep_offering || order.timeout_seconds != 0;
  if (order.offers() && of_download) return Wrong("kind", "an offer has options of a download");
  return absl::OkStatus();
}

}  // namespace

bool NamesTorrentFile(const Order& order) {
  return order.offers() || (!IsMagnetLink(order.what) && IsTorrentPath(order.what));
}

absl::StatusOr<Order> ParseOrder(const Json& json) {
  if (!json.is_object()) return absl::InvalidArgumentError("it is no JSON object");
  Order order;
  std::string kind;
  const absl::Status status = Reader(json)
                                  .Text("kind", kind)
                                  .Text("what", order.what)
                                  .Text("path", order.path)
                                  .List("trackers", order.trackers)
                                  .Text("token_file", order.trust.token_file)
                                  .Text("ca", order.trust.authorities_file)
                                  .List("select", order.select)
                                  .Number("upload_limit", kRateLimitMax, order.upload_limit)
                                  .Number("download_limit", kRateLimitMax, order.download_limit)
                                  .Flag("keep_offering", order.keep_offering)
                                  .Number("timeout", 1'000'000, order.timeout_seconds)
                                  .Seed("seed_time", order.seed)
                                  .Seed("seed_ratio", order.seed)
                                  .status();
  if (!status.ok()) return status;
  if (kind != "offer" && kind != "download") return Wrong("kind", "is neither offer nor download");
  order.kind = kind == "offer" ? Order::Kind::kOffer : Order::Kind::kDownload;
  const absl::Status fits = Check(order);
  if (!fits.ok()) return fits;
  return order;
}

Json OrderJson(const Order& order) {
  Json json = {{"kind", order.offers() ? "offer" : "download"}, {"what", order.what}, {"path", order.path}};
  if (!order.trackers.empty()) json["trackers"] = order.trackers;
  if (!order.trust.token_file.empty()) json["token_file"] = order.trust.token_file;
  if (!order.trust.authorities_file.empty()) json["ca"] = order.trust.authorities_file;
  if (!order.select.empty()) json["select"] = order.select;
  if (order.upload_limit != 0) json["upload_limit"] = order.upload_limit;
  if (order.download_limit != 0) json["download_limit"] = order.download_limit;
  if (order.keep_offering) json["keep_offering"] = true;
  if (order.timeout_seconds != 0) json["timeout"] = order.timeout_seconds;
  WriteSeedLimits(order.seed, json);
  return json;
}

Prepared Prepare(const Order& order, const std::string& torrent) {
  if (order.offers()) {
    return PrepareOffer({.file = order.path,
                         .torrent = torrent,
                         .listen = {},
                         .trackers = order.trackers,
                         .trust = order.trust,
                         .upload_limit = order.upload_limit});
  }
  return PrepareDownload({.what = NamesTorrentFile(order) ? torrent : order.what,
                          .output = order.path,
                          .listen = {},
                          .trackers = order.trackers,
                          .trust = order.trust,
                          .select = order.select,
                          .upload_limit = order.upload_limit,
                          .download_limit = order.download_limit,
                          .keep_offering = order.keep_offering,
                          .timeout_seconds = order.timeout_seconds});
}

}  // namespace bt::nodes
