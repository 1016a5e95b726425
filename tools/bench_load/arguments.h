#pragma once

// What the command lines of the load generators have in common.

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>

// --NAME=VALUE; without a value: --NAME.
struct Argument {
  explicit Argument(const std::string& text)
      : name(text.substr(0, text.find('='))),
        value(name.size() < text.size() ? text.substr(name.size() + 1) : "") {}

  std::string name;
  std::string value;
};

// IP:PORT, of IPv4.
inline std::optional<sockaddr_in> ParseTarget(const std::string& text) {
  const size_t colon = text.rfind(':');
  sockaddr_in address{};
  address.sin_family = AF_INET;
  if (colon == std::string::npos ||
      inet_pton(AF_INET, text.substr(0, colon).c_str(), &address.sin_addr) != 1) {
    return std::nullopt;
  }
  address.sin_port = htons(static_cast<uint16_t>(std::atoi(text.c_str() + colon + 1)));
  return address;
}
