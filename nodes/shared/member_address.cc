#include "nodes/shared/member_address.h"

#include <absl/strings/str_cat.h>

#include <charconv>
#include <cstdint>

#include "nodes/shared/text.h"

namespace bt::nodes {

absl::StatusOr<MemberAddress> ParseMemberAddress(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return absl::InvalidArgumentError("a part is missing");
  const auto replica = net::HostAndPort::Parse(text.substr(0, slash));
  if (!replica.ok()) return replica.status();
  const auto client = net::HostAndPort::Parse(text.substr(slash + 1));
  if (!client.ok()) return client.status();
  return MemberAddress{*replica, *client};
}

absl::StatusOr<std::pair<NodeId, MemberAddress>> ParseMember(std::string_view text) {
  const auto wrong = [&](std::string_view why) {
    return absl::InvalidArgumentError(
        absl::StrCat(Printable(text), ": ", Absl(why),
                     "; write ID=REPLICA_HOST:PORT/CLIENT_HOST:PORT, for example "
                     "1=10.0.0.1:7000/10.0.0.1:6969"));
  };
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos) return wrong("a part is missing");
  uint32_t id = 0;
  const char* const id_end = text.data() + equals;
  const auto [end, error] = std::from_chars(text.data(), id_end, id);
  if (error != std::errc() || end != id_end || id == 0) return wrong("the id must be a number from 1 on");
  const auto address = ParseMemberAddress(text.substr(equals + 1));
  if (!address.ok()) return wrong(Message(address.status()));
  return std::pair{NodeId(id), *address};
}

absl::StatusOr<Address> OwnAddress(const char* port, const net::HostAndPort& own) {
  const absl::StatusOr<Address> address = net::Resolve(own.ToString());
  if (address.ok()) return address;
  return absl::NotFoundError(
      absl::StrCat(port, ": ", address.status().message(),
                   "; this node listens there: give its own --node an address of this machine, or 0.0.0.0"));
}

std::string AdminSocketIn(const std::string& data_directory) {
  return absl::StrCat(data_directory, "/admin.sock");
}

}  // namespace bt::nodes
