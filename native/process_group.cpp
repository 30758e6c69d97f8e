// Ranks: several processes that train one model, over c10d. A store at one address introduces them to each other;
// Gloo carries what they reduce, and between GPUs NCCL. What they mean by it is not known here.
#include "abi.h"

#ifdef ESP_GLOO

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#ifdef ESP_NCCL
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <mutex>

using namespace esp;

namespace {

using Milliseconds = std::chrono::milliseconds;
#if ESP_TORCH_AT_LEAST(2, 0)
using Backend = c10d::Backend;
#else
using Backend = c10d::ProcessGroup;
#endif
using PendingWork = decltype(std::declval<Backend>().barrier());

struct Store {
  c10::intrusive_ptr<c10d::Store> tcp, own;
  std::string host;
  int port;
};

struct Group {
  c10::intrusive_ptr<Backend> gloo;
  int rank, size;
  c10::intrusive_ptr<c10d::Store> store;
  int64_t timeout_ms;
  std::mutex mutex;
  c10::intrusive_ptr<Backend> nccl;
};

/// Nanoseconds of a clock that never goes back.
int64_t now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

#ifdef ESP_NCCL

/// NCCL between the GPUs of the ranks, from the first tensor there on. All ranks come to it together, as to every operation.
Backend& nccl_of(Group& group) {
  std::lock_guard<std::mutex> lock(group.mutex);
  if (!group.nccl) {
    // A wait then lasts until the work is done, and fails when its time is over, as it does with Gloo.
    for (const char* name : {"TORCH_NCCL_BLOCKING_WAIT", "NCCL_BLOCKING_WAIT"}) {
      setenv(name, "1", /*overwrite=*/0);
    }
    auto options = c10d::ProcessGroupNCCL::Options::create();
    options->timeout = Milliseconds(group.timeout_ms);
    group.nccl = c10::make_intrusive<c10d::ProcessGroupNCCL>(
        c10::make_intrusive<c10d::PrefixStore>("nccl", group.store), group.rank, group.size, options);
  }
  return *group.nccl;
}

/// Who carries a tensor.
Backend& carrier_of(Group& group, const at::Tensor& tensor) { return tensor.is_cuda() ? nccl_of(group) : *group.gloo; }

/// A tensor as its carrier reads it: contiguous. The tensor itself where it is so already.
at::Tensor readable(const at::Tensor& tensor) { return tensor.detach().contiguous(); }

#else

Backend& carrier_of(Group& group, const at::Tensor&) { return *group.gloo; }

/// A tensor as Gloo reads it: contiguous, in host memory. The tensor itself where it is so already.
at::Tensor readable(const at::Tensor& tensor) { return tensor.detach().to(at::kCPU).contiguous(); }

#endif

/// Something under way, and what to do with its result once it is there.
struct Work {
  std::vector<PendingWork> pending;
  std::vector<at::Tensor> kept;
  std::function<void()> finish;
  int64_t began = now();
  std::shared_ptr<std::atomic<int64_t>> ended = std::make_shared<std::atomic<int64_t>>(0);
};

template <class Body>
Work* work_or_error(Body body) noexcept {
  try {
    at::NoGradGuard no_grad;
    auto work = std::make_unique<Work>();
    body(*work);
    *work->ended = work->began;
#ifdef ESP_NCCL
    // Its futures are there as soon as the work is begun.
    bool tells = work->kept.empty() || !work->kept[0].is_cuda();
#else
    bool tells = true;
#endif
    for (size_t i = 0; tells && i < work->pending.size(); i++) {
      // Called by the thread that ends it, before those that wait go on.
      work->pending[i]->getFuture()->addCallback([ended = work->ended](c10::ivalue::Future&) { *ended = now(); });
    }
    return work.release();
  } catch (...) {
    remember_error();
    return nullptr;
  }
}

/// Tensors, one behind the other (S).
at::Tensor joined(const std::vector<at::Tensor>& tensors) {
  std::vector<at::Tensor> flat;
  for (const at::Tensor& tensor : tensors) {
    flat.push_back(tensor.detach().reshape(-1));
  }
  return flat.size() == 1 ? flat[0] : at::cat(flat);
}

int64_t elements_of(const std::vector<at::Tensor>& tensors) {
  int64_t elements = 0;
  for (const at::Tensor& tensor : tensors) {
    elements += tensor.numel();
  }
  return elements;
}

/// Writes joined tensors back into them.
void split_into(const std::vector<at::Tensor>& tensors, const at::Tensor& all) {
  int64_t start = 0;
  for (const at::Tensor& tensor : tensors) {
    at::Tensor part = all.narrow(0, start, tensor.numel());
    if (part.data_ptr() != tensor.data_ptr()) {
      tensor.detach().copy_(part.view(tensor.sizes()));
    }
    start += tensor.numel();
  }
}

void check_shares(const std::vector<int64_t>& shares, int64_t elements, const char* what) {
  int64_t all = 0;
  for (int64_t share : shares) {
    all += share;
  }
  TORCH_CHECK(all == elements, what, " of ", elements, " elements do not hold shares of ", all);
}

/// This host's own address on the network that leads to another, which need not be the one that its name stands for. Empty where
/// there is no way.
std::string address_towards(const std::string& host, int port) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_DGRAM;
  if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) {
    return "";
  }
  std::string own;
  for (addrinfo* at = found; at && own.empty(); at = at->ai_next) {
    // To connect a datagram's socket sends nothing: it only chooses a way.
    int way = socket(at->ai_family, SOCK_DGRAM, 0);
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    char text[NI_MAXHOST];
    if (way >= 0 && connect(way, at->ai_addr, at->ai_addrlen) == 0 &&
        getsockname(way, reinterpret_cast<sockaddr*>(&address), &length) == 0 &&
        getnameinfo(reinterpret_cast<sockaddr*>(&address), length, text, sizeof text, nullptr, 0, NI_NUMERICHOST) == 0) {
      own = text;
    }
    if (way >= 0) {
      close(way);
    }
  }
  freeaddrinfo(found);
  return own;
}

}  // namespace

ESP_EXPORT int esp_has_process_groups() { return 1; }

#ifdef ESP_NCCL
ESP_EXPORT int esp_has_nccl() { return 1; }
#else
ESP_EXPORT int esp_has_nccl() { return 0; }
#endif

/// Newer versions of libtorch ask for libuv by default, and refuse where they were built without it, as Debian's are. Either kind of store
/// understands either kind of client.
template <typename Options>
static auto leave_out_libuv(Options& options, int) -> decltype(options.useLibUV, void()) {
  options.useLibUV = false;
}
template <typename Options>
static void leave_out_libuv(Options&, long) {}

/// Meets the store at an address; the process that serves it opens it there. All keys are below a prefix.
ESP_EXPORT Store* esp_store(const char* host, int port, int serves, const char* prefix, int64_t timeout_ms) {
  try {
    c10d::TCPStoreOptions options;
    options.port = static_cast<std::uint16_t>(port);
    options.isServer = serves != 0;
    options.waitWorkers = false;
    options.timeout = Milliseconds(timeout_ms);
    leave_out_libuv(options, 0);
    auto store = std::make_unique<Store>();
    store->host = host;
    store->port = port;
    store->tcp = c10::make_intrusive<c10d::TCPStore>(host, options);
    store->own = c10::make_intrusive<c10d::PrefixStore>(prefix, store->tcp);
    store->own->setTimeout(Milliseconds(timeout_ms));
    return store.release();
  } catch (...) {
    remember_error();
    return nullptr;
  }
}

ESP_EXPORT void esp_store_free(Store* store) { delete store; }

ESP_EXPORT int esp_store_set(Store* store, const char* key, const uint8_t* value, int64_t length) {
  return status_of([&] { store->own->set(key, std::vector<uint8_t>(value, value + length)); });
}

/// Whether a key is there: 1 or 0.
ESP_EXPORT int esp_store_has(Store* store, const char* key, int* has) {
  return status_of([&] { *has = store->own->check({key}); });
}

/// The value of a key, which lives until the next call on this thread. Waits for the key.
ESP_EXPORT int esp_store_get(Store* store, const char* key, const uint8_t** value, int64_t* length) {
  return status_of([&] {
    static thread_local std::vector<uint8_t> last;
    last = store->own->get(key);
    *value = last.data();
    *length = static_cast<int64_t>(last.size());
  });
}

/// Adds to the number that a key holds, 0 where it is new, and gives the sum.
ESP_EXPORT int esp_store_add(Store* store, const char* key, int64_t amount, int64_t* sum) {
  return status_of([&] { *sum = store->own->add(key, amount); });
}

/// Joins the ranks that meet at a store. Each waits until all are there.
ESP_EXPORT Group* esp_group(Store* store, int rank, int size, int64_t timeout_ms) {
  try {
    auto options = c10d::ProcessGroupGloo::Options::create(Milliseconds(timeout_ms));
    const char* interface = std::getenv("GLOO_SOCKET_IFNAME");
    std::string own = address_towards(store->host, store->port);
    options->devices.push_back(
        interface && *interface ? c10d::ProcessGroupGloo::createDeviceForInterface(interface)
        : own.empty()           ? c10d::ProcessGroupGloo::createDefaultDevice()
                                : c10d::ProcessGroupGloo::createDeviceForHostname(own));
    options->threads = 2;
    auto gloo = c10::make_intrusive<c10d::ProcessGroupGloo>(store->own, rank, size, options);
    return new Group{std::move(gloo), rank, size, store->own, timeout_ms, {}, {}};
  } catch (...) {
    remember_error();
    return nullptr;
  }
}

/// Leaves: the other ranks' operations with this one fail at once.
ESP_EXPORT void esp_group_free(Group* group) {
  try {
#ifdef ESP_NCCL
    // What is under way with a rank that is gone never ends by itself.
    if (group->nccl) {
      static_cast<c10d::ProcessGroupNCCL&>(*group->nccl).abort();
    }
#endif
    delete group;
  } catch (...) {
    // There is nobody to tell.
  }
}

/// Sums tensors over all ranks, in place once the work is waited for. They travel as one.
ESP_EXPORT Work* esp_all_reduce(Group* group, const Handle* tensors, int64_t count, int average) {
  return work_or_error([&](Work& work) {
    std::vector<at::Tensor> own = list_of(tensors, count);
    at::Tensor sent = readable(joined(own));
    std::vector<at::Tensor> buffer{sent};
    work.pending.push_back(carrier_of(*group, sent).allreduce(buffer));
    work.kept = own;
    work.finish = [own, sent, average, size = group->size] {
      if (average) {
        sent.div_(size);
      }
      split_into(own, sent);
    };
  });
}

/// Gives each rank its share of the sum of all ranks' inputs. Joined, they are the share of rank 0, then that of rank 1 and so on, of the sizes
/// that are given; outputs are joined alike. Each rank sends the others their shares and adds up its own in the order of the ranks:
/// (N - 1) / N of the bytes leave it where shares are equal, the least there can be. Gloo's own reduction to a rank sends more.
ESP_EXPORT Work* esp_reduce_scatter(
    Group* group, const Handle* outputs, int64_t output_count, const Handle* inputs, int64_t input_count, const int64_t* sizes) {
  return work_or_error([&](Work& work) {
    int64_t share = sizes[group->rank];
    std::vector<int64_t> shares(sizes, sizes + group->size), own(group->size, share);
    std::vector<at::Tensor> results = list_of(outputs, output_count);
    at::Tensor sent = readable(joined(list_of(inputs, input_count)));
    check_shares(shares, sent.numel(), "inputs");
    check_shares({share}, elements_of(results), "outputs");
    at::Tensor received = at::empty({group->size * share}, sent.options());
    // Gloo takes the sizes away.
    work.pending.push_back(carrier_of(*group, sent).alltoall_base(received, sent, own, shares));
    work.kept = {sent, received};
    work.finish = [results, received, size = group->size, share] {
      at::Tensor sum = received.narrow(0, 0, share);
      for (int rank = 1; rank < size; rank++) {
        sum.add_(received.narrow(0, rank * share, share));
      }
      split_into(results, sum);
    };
  });
}

/// Gives all ranks the inputs of all, in the order of the ranks and of the sizes that are given.
ESP_EXPORT Work* esp_all_gather(
    Group* group, const Handle* outputs, int64_t output_count, const Handle* inputs, int64_t input_count, const int64_t* sizes) {
  return work_or_error([&](Work& work) {
    std::vector<int64_t> shares(sizes, sizes + group->size), own(group->size, shares[group->rank]);
    std::vector<at::Tensor> results = list_of(outputs, output_count), mine = list_of(inputs, input_count);
    check_shares({own[0]}, elements_of(mine), "inputs");
    check_shares(shares, elements_of(results), "outputs");
    at::Tensor like = results[0].detach();
    at::Tensor sent = readable(mine.empty() ? at::empty({0}, like.options()) : joined(mine)).repeat({group->size});
    bool in_place = results.size() == 1 && like.is_contiguous() && like.device() == sent.device();
    at::Tensor received = in_place ? like.view(-1) : at::empty({elements_of(results)}, sent.options());
    work.pending.push_back(carrier_of(*group, sent).alltoall_base(received, sent, shares, own));
    work.kept = {sent, received};
    work.finish = [results, received] { split_into(results, received); };
  });
}

/// Gives all ranks one rank's tensor, in place.
ESP_EXPORT Work* esp_broadcast(Group* group, Handle tensor, int root) {
  return work_or_error([&](Work& work) {
    at::Tensor own = tensor->detach(), sent = readable(own);
    std::vector<at::Tensor> buffer{sent};
    c10d::BroadcastOptions options;
    options.rootRank = root;
    work.pending.push_back(carrier_of(*group, sent).broadcast(buffer, options));
    work.kept = {own, sent};
    work.finish = [own, sent] {
      if (sent.data_ptr() != own.data_ptr()) {
        own.copy_(sent);
      }
    };
  });
}

/// Waits until all ranks are here.
ESP_EXPORT Work* esp_barrier(Group* group) {
  return work_or_error([&](Work& work) { work.pending.push_back(group->gloo->barrier()); });
}

/// Waits for the end of some work, and tells when it began and ended; what was done with the result here is not counted.
ESP_EXPORT int esp_work_wait(Work* work, int64_t* began, int64_t* ended) {
  return status_of([&] {
    at::NoGradGuard no_grad;
    for (auto& pending : work->pending) {
      pending->wait();
    }
    *began = work->began;
    *ended = *work->ended;
    if (work->finish) {
      work->finish();
    }
  });
}

ESP_EXPORT void esp_work_free(Work* work) { delete work; }

#else

using namespace esp;

namespace {
constexpr const char* kMissing =
    "this build has no process groups, because libtorch or its headers lack Gloo. HINT: install libgloo-dev, delete build/native and build again";

void* missing() {
  last_error = kMissing;
  return nullptr;
}
int missing_status() {
  last_error = kMissing;
  return 1;
}
}  // namespace

ESP_EXPORT int esp_has_process_groups() { return 0; }
ESP_EXPORT int esp_has_nccl() { return 0; }
ESP_EXPORT void* esp_store(const char*, int, int, const char*, int64_t) { return missing(); }
ESP_EXPORT void esp_store_free(void*) {}
ESP_EXPORT int esp_store_set(void*, const char*, const uint8_t*, int64_t) { return missing_status(); }
ESP_EXPORT int esp_store_has(void*, const char*, int*) { return missing_status(); }
ESP_EXPORT int esp_store_get(void*, const char*, const uint8_t**, int64_t*) { return missing_status(); }
ESP_EXPORT int esp_store_add(void*, const char*, int64_t, int64_t*) { return missing_status(); }
ESP_EXPORT void* esp_group(void*, int, int, int64_t) { return missing(); }
ESP_EXPORT void esp_group_free(void*) {}
ESP_EXPORT void* esp_all_reduce(void*, const Handle*, int64_t, int) { return missing(); }
ESP_EXPORT void* esp_reduce_scatter(void*, const Handle*, int64_t, const Handle*, int64_t, const int64_t*) { return missing(); }
ESP_EXPORT void* esp_all_gather(void*, const Handle*, int64_t, const Handle*, int64_t, const int64_t*) { return missing(); }
ESP_EXPORT void* esp_broadcast(void*, Handle, int) { return missing(); }
ESP_EXPORT void* esp_barrier(void*) { return missing(); }
ESP_EXPORT int esp_work_wait(void*, int64_t*, int64_t*) { return missing_status(); }
ESP_EXPORT void esp_work_free(void*) {}

#endif
