using System.Reflection;
using System.Runtime.InteropServices;

namespace Espalier.Torch;

/// <summary>The C ABI of <c>native/</c>, in its order. A tensor that a function returns is owned by the caller.</summary>
internal static unsafe partial class Native
{
    private const string Library = "espalier_native";

    static Native()
    {
        NativeEnvironment.Prepare();
        NativeLibrary.SetDllImportResolver(typeof(Native).Assembly, Resolve);
        esp_keep_large_allocations();
        _ = Check(esp_set_threads(Engine.DefaultThreads));
    }

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? path)
    {
        if (name != Library)
        {
            return 0;
        }

        string file = NativeBuild.Library();
        try
        {
            return NativeLibrary.Load(file);
        }
        catch (DllNotFoundException exception)
        {
            throw new TorchException(
                $"cannot load libtorch: {exception.Message.Split('\n')[0]}. HINT: the libtorch that Espalier was " +
                "built against is gone or another one; build again, with ESPALIER_LIBTORCH naming the one to use",
                exception);
        }
    }

    /// <summary>Turns the failure of a tensor-returning function into an exception.</summary>
    internal static Tensor Check(Tensor result) => result.IsInvalid ? throw LastError() : result.Track();

    /// <summary>Turns the failure of a status-returning function into an exception.</summary>
    internal static int Check(int status) => status == 0 ? 0 : throw LastError();

    /// <summary>Turns the failure of a function that returns some other object into an exception.</summary>
    internal static T Check<T>(T result)
        where T : SafeHandle => result.IsInvalid ? throw LastError() : result;

    internal static string Text(byte* text) => Marshal.PtrToStringUTF8((nint)text) ?? "";

    private static TorchException LastError() => new(Text(esp_last_error()));

    // tensor.cpp
    [LibraryImport(Library)] private static partial byte* esp_last_error();
    [LibraryImport(Library)] internal static partial long esp_live_tensors();
    [LibraryImport(Library)] internal static partial void esp_free(nint tensor);
    [LibraryImport(Library)] internal static partial Tensor esp_empty(long* shape, int rank, ScalarType type, DeviceType device, int index);
    [LibraryImport(Library)] internal static partial Tensor esp_full(long* shape, int rank, double value, ScalarType type, DeviceType device, int index);
    [LibraryImport(Library)] internal static partial Tensor esp_from_host(void* data, long bytes, long* shape, int rank, ScalarType type, DeviceType device, int index);
    [LibraryImport(Library)] internal static partial int esp_to_host(Tensor tensor, void* data, long bytes);
    [LibraryImport(Library)] internal static partial int esp_rank(Tensor tensor);
    [LibraryImport(Library)] internal static partial void esp_shape(Tensor tensor, long* shape);
    [LibraryImport(Library)] internal static partial ScalarType esp_dtype(Tensor tensor);
    [LibraryImport(Library)] internal static partial void esp_device(Tensor tensor, out DeviceType type, out int index);
    [LibraryImport(Library)] internal static partial int esp_item(Tensor tensor, out double value);
    [LibraryImport(Library)] internal static partial Tensor esp_to(Tensor tensor, ScalarType type, DeviceType device, int index);
    [LibraryImport(Library)] internal static partial Tensor esp_clone(Tensor tensor, DeviceType deviceType, int deviceIndex);
    [LibraryImport(Library)] internal static partial int esp_copy(Tensor destination, Tensor source);
    [LibraryImport(Library)] internal static partial int esp_fill(Tensor tensor, double value);

    // ops.cpp
    [LibraryImport(Library)] internal static partial Tensor esp_reshape(Tensor x, long* shape, int rank);
    [LibraryImport(Library)] internal static partial Tensor esp_view(Tensor x, long* shape, int rank);
    [LibraryImport(Library)] internal static partial Tensor esp_transpose(Tensor x, long a, long b);
    [LibraryImport(Library)] internal static partial Tensor esp_narrow(Tensor x, long axis, long start, long length);
    [LibraryImport(Library)] internal static partial Tensor esp_cat(nint* tensors, long count, long axis);
    [LibraryImport(Library)] internal static partial Tensor esp_index_select(Tensor x, long axis, Tensor index);
    [LibraryImport(Library)] internal static partial Tensor esp_index_copy(Tensor x, long axis, Tensor index, Tensor source);
    [LibraryImport(Library)] internal static partial Tensor esp_add(Tensor a, Tensor b);
    [LibraryImport(Library)] internal static partial Tensor esp_sub(Tensor a, Tensor b);
    [LibraryImport(Library)] internal static partial Tensor esp_mul(Tensor a, Tensor b);
    [LibraryImport(Library)] internal static partial Tensor esp_mul_scalar(Tensor a, double b);
    [LibraryImport(Library)] internal static partial Tensor esp_matmul(Tensor a, Tensor b);
    [LibraryImport(Library)] internal static partial Tensor esp_tanh(Tensor x);
    [LibraryImport(Library)] internal static partial Tensor esp_sum(Tensor x);
    [LibraryImport(Library)] internal static partial Tensor esp_mean(Tensor x);
    [LibraryImport(Library)] internal static partial Tensor esp_softmax(Tensor x, long axis);
    [LibraryImport(Library)] internal static partial Tensor esp_log_softmax(Tensor x, long axis);
    [LibraryImport(Library)] internal static partial Tensor esp_argmax(Tensor x, long axis);
    [LibraryImport(Library)] internal static partial Tensor esp_embedding(Tensor weight, Tensor indices);
    [LibraryImport(Library)] internal static partial Tensor esp_dropout(Tensor x, double probability);

    // neural.cpp
    [LibraryImport(Library)] internal static partial Tensor esp_linear(Tensor x, Tensor weight, Tensor bias, int transposed);
    [LibraryImport(Library)] internal static partial Tensor esp_layer_norm(Tensor x, Tensor weight, Tensor bias, double epsilon, int keepType);
    [LibraryImport(Library)] internal static partial Tensor esp_masked_layer_norm(Tensor x, Tensor weight, Tensor bias, Tensor mask, double epsilon);
    [LibraryImport(Library)] internal static partial Tensor esp_rms_norm(Tensor x, Tensor weight, Tensor mask, double epsilon);
    [LibraryImport(Library)] internal static partial Tensor esp_silu_gate(Tensor gate, Tensor x);
    [LibraryImport(Library)] internal static partial Tensor esp_gelu(Tensor x, int tanhApproximation);
    [LibraryImport(Library)]
    internal static partial Tensor esp_self_attention(
        Tensor query, Tensor key, Tensor value, long heads, long groups, int causal, double dropout, Tensor lengths,
        Tensor frequencies, Tensor positions);
    [LibraryImport(Library)]
    internal static partial Tensor esp_cached_attention(
        Tensor query, Tensor key, Tensor value, long heads, long groups, Tensor frequencies, Tensor keys, Tensor values, long past);
    [LibraryImport(Library)] internal static partial Tensor esp_cross_entropy(Tensor logits, Tensor targets, long ignored);
    [LibraryImport(Library)] internal static partial Tensor esp_linear_cross_entropy(Tensor x, Tensor weight, Tensor bias, Tensor targets, long ignored, double z);

    // optimizer.cpp
    [LibraryImport(Library)] internal static partial int esp_global_norm(nint* gradients, long count, out double norm);
    [LibraryImport(Library)]
    internal static partial int esp_adamw(
        Tensor parameter, Tensor gradient, Tensor expAvg, Tensor expAvgSq, double gradientScale, double learningRate,
        double beta1, double beta2, double epsilon, double weightDecay, long step, Tensor rateFactors);

    // autograd.cpp
    [LibraryImport(Library)] internal static partial int esp_set_requires_grad(Tensor tensor, int value);
    [LibraryImport(Library)] internal static partial int esp_requires_grad(Tensor tensor);
    [LibraryImport(Library)] internal static partial int esp_backward(Tensor tensor, Tensor gradient);
    [LibraryImport(Library)] internal static partial Tensor esp_grad(Tensor tensor);
    [LibraryImport(Library)] internal static partial Tensor esp_begin_grad(Tensor tensor);
    [LibraryImport(Library)] internal static partial int esp_add_to_earlier_grad(Tensor tensor, Tensor earlier);
    [LibraryImport(Library)] internal static partial int esp_is_defined(Tensor tensor);
    [LibraryImport(Library)] internal static partial int esp_set_grad(Tensor tensor, Tensor gradient);
    [LibraryImport(Library)] internal static partial Tensor esp_detach(Tensor tensor);

    // process_group.cpp
    [LibraryImport(Library)] internal static partial int esp_has_process_groups();
    [LibraryImport(Library)] internal static partial int esp_has_nccl();
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial StoreHandle esp_store(string host, int port, int serves, string prefix, long timeoutMs);
    [LibraryImport(Library)] internal static partial void esp_store_free(nint store);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] internal static partial int esp_store_set(StoreHandle store, string key, byte* value, long length);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] internal static partial int esp_store_has(StoreHandle store, string key, out int has);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] internal static partial int esp_store_get(StoreHandle store, string key, out byte* value, out long length);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] internal static partial int esp_store_add(StoreHandle store, string key, long amount, out long sum);
    [LibraryImport(Library)] internal static partial GroupHandle esp_group(StoreHandle store, int rank, int size, long timeoutMs);
    [LibraryImport(Library)] internal static partial void esp_group_free(nint group);
    [LibraryImport(Library)] internal static partial GroupWork esp_all_reduce(GroupHandle group, nint* tensors, long count, int average);
    [LibraryImport(Library)] internal static partial GroupWork esp_reduce_scatter(GroupHandle group, nint* outputs, long outputCount, nint* inputs, long inputCount, long* sizes);
    [LibraryImport(Library)] internal static partial GroupWork esp_all_gather(GroupHandle group, nint* outputs, long outputCount, nint* inputs, long inputCount, long* sizes);
    [LibraryImport(Library)] internal static partial GroupWork esp_broadcast(GroupHandle group, Tensor tensor, int root);
    [LibraryImport(Library)] internal static partial GroupWork esp_barrier(GroupHandle group);
    [LibraryImport(Library)] internal static partial int esp_work_wait(GroupWork work, out long began, out long ended);
    [LibraryImport(Library)] internal static partial void esp_work_free(nint work);

    // runtime.cpp
    [LibraryImport(Library)] private static partial void esp_keep_large_allocations();
    [LibraryImport(Library)] internal static partial int esp_set_threads(int threads);
    [LibraryImport(Library)] internal static partial int esp_get_threads();
    [LibraryImport(Library)] internal static partial byte* esp_torch_version();
    [LibraryImport(Library)] internal static partial int esp_onednn_bfloat16();
    [LibraryImport(Library)] internal static partial int esp_cpu_bfloat16();
    [LibraryImport(Library)] internal static partial byte* esp_cpu_capability();
    [LibraryImport(Library)] internal static partial byte* esp_libtorch_path();
    [LibraryImport(Library)] internal static partial byte* esp_blas_path();
    [LibraryImport(Library)] internal static partial byte* esp_blas_config();
    [LibraryImport(Library)] internal static partial int esp_blas_threading();
    [LibraryImport(Library)] internal static partial int esp_cuda_device_count();
    [LibraryImport(Library)] internal static partial int esp_synchronize(DeviceType type, int index);
    [LibraryImport(Library)] internal static partial int esp_manual_seed(ulong seed);
    [LibraryImport(Library)] internal static partial Tensor esp_random_state(DeviceType type, int index);
    [LibraryImport(Library)] internal static partial int esp_set_random_state(Tensor state, DeviceType type, int index);
    [LibraryImport(Library)] internal static partial int esp_set_grad_enabled(int enabled);
    [LibraryImport(Library)] internal static partial int esp_set_autocast(DeviceType type, int enabled, ScalarType lower);
    [LibraryImport(Library)] internal static partial int esp_clear_autocast_cache();
}
