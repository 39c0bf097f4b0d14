#include "store/request_check.h"

#include <set>

#include "store/keyspace.h"

namespace flotilla::store {

using base::invalid;
using base::Status;
using base::too_large;

namespace {

Status check_key(std::string_view key) {
  if (key.empty()) return invalid("an empty key");
  if (key.size() > kMaxKeyBytes) {
    return too_large("a key of {} bytes: at most {} are allowed", key.size(), kMaxKeyBytes);
  }
  return {};
}

Status check_range(std::string_view key, std::string_view range_end) {
  FLOTILLA_TRY(check_key(key));
  if (range_end.size() > kMaxKeyBytes) {
    return too_large("a range end of {} bytes: at most {} are allowed", range_end.size(),
                     kMaxKeyBytes);
  }
  return {};
}

Status check_compare(const Compare& compare) {
  FLOTILLA_TRY(check_key(compare.key));
  const bool wants_text = compare.target == CompareTarget::kValue;
  if (wants_text != std::holds_alternative<std::string>(compare.operand)) {
    return invalid("key \"{}\": a value is compared with a text, all else with a number",
                   compare.key);
  }
  return {};
}

size_t bytes_of(const Op& op) {
  if (const auto* put = std::get_if<PutOp>(&op)) return put->key.size() + put->value.size();
  if (const auto* del = std::get_if<DeleteRangeOp>(&op)) {
    return del->key.size() + del->range_end.size();
  }
  const auto& range = std::get<RangeRequest>(op);
  return range.key.size() + range.range_end.size();
}

Status check_put(const PutOp& put) {
  FLOTILLA_TRY(check_key(put.key));
  if (put.value.size() > kMaxValueBytes) {
    return too_large("key \"{}\": a value of {} bytes: at most {} are allowed", put.key,
                     put.value.size(), kMaxValueBytes);
  }
  if (put.lease < 0) return invalid("key \"{}\": lease {} is negative", put.key, put.lease);
  return {};
}

// Well formed each, and no key put twice or put and deleted.
Status check_ops(const std::vector<Op>& ops) {
  std::set<std::string_view> put_keys;
  for (const Op& op : ops) {
    if (const auto* put = std::get_if<PutOp>(&op)) {
      FLOTILLA_TRY(check_put(*put));
      if (!put_keys.insert(put->key).second) {
        return invalid("key \"{}\" is put twice in one transaction", put->key);
      }
    } else if (const auto* del = std::get_if<DeleteRangeOp>(&op)) {
      FLOTILLA_TRY(check_range(del->key, del->range_end));
    } else {
      FLOTILLA_TRY(check_request(std::get<RangeRequest>(op)));
    }
  }
  for (const Op& op : ops) {
    const auto* del = std::get_if<DeleteRangeOp>(&op);
    if (del == nullptr) continue;
    const auto put = put_keys.lower_bound(del->key);
    if (put != put_keys.end() && in_range(*put, del->key, del->range_end)) {
      return invalid("key \"{}\" is put and deleted in one transaction", *put);
    }
  }
  return {};
}

}  // namespace

Status check_request(const RangeRequest& request) {
  FLOTILLA_TRY(check_range(request.key, request.range_end));
  if (request.limit < 0) return invalid("a limit of {} keys", request.limit);
  if (request.revision < 0) return invalid("revision {} is negative", request.revision);
  return {};
}

Status check_request(const WatchRequest& request) {
  FLOTILLA_TRY(check_range(request.key, request.range_end));
  if (request.from_revision < 0) return invalid("revision {} is negative", request.from_revision);
  return {};
}

size_t bytes_of(const TxnRequest& request) {
  size_t bytes = 0;
  for (const Compare& compare : request.compares) {
    bytes += compare.key.size();
    if (const auto* text = std::get_if<std::string>(&compare.operand)) bytes += text->size();
  }
  for (const Op& op : request.then_ops) bytes += bytes_of(op);
  for (const Op& op : request.else_ops) bytes += bytes_of(op);
  return bytes;
}

Status check_request(const TxnRequest& request) {
  for (const size_t count :
       {request.compares.size(), request.then_ops.size(), request.else_ops.size()}) {
    if (count > kMaxTxnOps) {
      return too_large("a transaction of {} operations: at most {} are allowed", count, kMaxTxnOps);
    }
  }
  for (const Compare& compare : request.compares) FLOTILLA_TRY(check_compare(compare));
  FLOTILLA_TRY(check_ops(request.then_ops));
  FLOTILLA_TRY(check_ops(request.else_ops));
  if (const size_t bytes = bytes_of(request); bytes > kMaxRequestBytes) {
    return too_large("a transaction of {} bytes: at most {} are allowed", bytes, kMaxRequestBytes);
  }
  return {};
}

Status check_lease_ttl(std::chrono::seconds ttl) {
  if (ttl < kMinLeaseTtl || ttl > kMaxLeaseTtl) {
    return invalid("a lease of {} s: expected {} to {}", ttl.count(), kMinLeaseTtl.count(),
                   kMaxLeaseTtl.count());
  }
  return {};
}

}  // namespace flotilla::store
