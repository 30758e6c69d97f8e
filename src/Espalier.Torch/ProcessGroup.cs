using System.Runtime.InteropServices;

using static Espalier.Torch.Native;

namespace Espalier.Torch;

/// <summary>
/// Processes that compute together, over c10d's Gloo in the same libtorch. All of them call the same operations in the same
/// order. Tensors on GPUs travel by NCCL, each process on a GPU of its own; or through host memory in a build without it. Every operation returns at once; its result is there when its
/// <see cref="GroupWork"/> has been waited for, and it fails when a process is gone or does not answer in time.
/// </summary>
public sealed class ProcessGroup : IDisposable
{
    private readonly GroupHandle _group;

    private ProcessGroup(GroupHandle group, int rank, int size) => (_group, Rank, Size) = (group, rank, size);

    /// <summary>Whether this build has process groups: Gloo's headers were there when it was built.</summary>
    public static bool IsAvailable => esp_has_process_groups() != 0;

    /// <summary>Whether this build has NCCL: libtorch computes on GPUs, and the headers were there when it was built.</summary>
    public static bool HasNccl => esp_has_nccl() != 0;

    /// <summary>This process's number, from 0.</summary>
    public int Rank { get; }

    /// <summary>The number of processes.</summary>
    public int Size { get; }

    /// <summary>Joins the processes that meet at a store, and waits until all are there.</summary>
    /// <param name="store">Where they meet.</param>
    /// <param name="rank">This process's number, from 0.</param>
    /// <param name="size">The number of processes.</param>
    /// <param name="timeout">How long one operation may wait for another process.</param>
    /// <exception cref="TorchException">A process does not come, or this build has no process groups.</exception>
    public static ProcessGroup Join(ProcessStore store, int rank, int size, TimeSpan timeout) =>
        new(Check(esp_group(store.Handle, rank, size, (long)timeout.TotalMilliseconds)), rank, size);

    /// <summary>
    /// Sums tensors over all processes, in place; all of one type, and they travel as one. The sum is the same bits on every
    /// process. A ring carries it: 2 (N - 1) / N of their bytes leave each process, the least there can be.
    /// </summary>
    /// <param name="tensors">The tensors.</param>
    /// <param name="average">Whether to divide by the number of processes.</param>
    /// <exception cref="TorchException">The types differ, or a process is gone.</exception>
    public unsafe GroupWork AllReduce(IReadOnlyList<Tensor> tensors, bool average = false)
    {
        nint[] handles = HandlesOf(tensors);
        fixed (nint* pointer = handles)
        {
            GroupWork work = Check(esp_all_reduce(_group, pointer, handles.Length, average ? 1 : 0));
            GC.KeepAlive(tensors);
            return work;
        }
    }

    /// <summary>
    /// Gives each process its share of the sum of all inputs, which is added up in the order of the processes. Where shares are equal,
    /// (N - 1) / N of the bytes leave each process, the least there can be.
    /// </summary>
    /// <param name="outputs">Receive the share (S), one behind the other.</param>
    /// <param name="inputs">Of one type; one behind the other, they are the shares of all processes, in their order.</param>
    /// <param name="sizes">The elements of the share of each process.</param>
    /// <exception cref="TorchException">The sizes do not fit, or a process is gone.</exception>
    public unsafe GroupWork ReduceScatter(IReadOnlyList<Tensor> outputs, IReadOnlyList<Tensor> inputs, IReadOnlyList<long> sizes) =>
        Exchange(esp_reduce_scatter, outputs, inputs, sizes);

    /// <summary>Gives all processes the inputs of all.</summary>
    /// <param name="outputs">Receive them, one behind the other, in the order of the processes.</param>
    /// <param name="inputs">This process's share (S), one behind the other.</param>
    /// <param name="sizes">The elements of the share of each process.</param>
    /// <exception cref="TorchException">The sizes do not fit, or a process is gone.</exception>
    public unsafe GroupWork AllGather(IReadOnlyList<Tensor> outputs, IReadOnlyList<Tensor> inputs, IReadOnlyList<long> sizes) =>
        Exchange(esp_all_gather, outputs, inputs, sizes);

    /// <summary>Gives all processes the tensor of one, in place.</summary>
    /// <param name="tensor">Of the same shape on all.</param>
    /// <param name="root">The process that has it.</param>
    /// <exception cref="TorchException">A process is gone.</exception>
    public GroupWork Broadcast(Tensor tensor, int root) => Check(esp_broadcast(_group, tensor, root));

    /// <summary>Is done when all processes have come to it.</summary>
    /// <exception cref="TorchException">A process is gone.</exception>
    public GroupWork Barrier() => Check(esp_barrier(_group));

    /// <summary>Leaves: what the other processes wait for this one in fails at once.</summary>
    public void Dispose() => _group.Dispose();

    private unsafe delegate GroupWork ExchangeOfShares(GroupHandle group, nint* outputs, long outputCount, nint* inputs, long inputCount, long* sizes);

    private unsafe GroupWork Exchange(
        ExchangeOfShares exchange, IReadOnlyList<Tensor> outputs, IReadOnlyList<Tensor> inputs, IReadOnlyList<long> sizes)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(sizes.Count, Size, nameof(sizes));
        nint[] to = HandlesOf(outputs), from = HandlesOf(inputs);
        long[] shares = [.. sizes];
        fixed (nint* toPointer = to, fromPointer = from)
        fixed (long* sizesPointer = shares)
        {
            GroupWork work = Check(exchange(_group, toPointer, to.Length, fromPointer, from.Length, sizesPointer));
            GC.KeepAlive(outputs);
            GC.KeepAlive(inputs);
            return work;
        }
    }

    private static nint[] HandlesOf(IReadOnlyList<Tensor> tensors) => [.. tensors.Select(tensor => tensor.DangerousGetHandle())];
}

/// <summary>An operation of a <see cref="ProcessGroup"/> that is under way.</summary>
public sealed class GroupWork : SafeHandle
{
    /// <summary>For the marshaller, which fills in the handle.</summary>
    public GroupWork()
        : base(0, ownsHandle: true)
    {
    }

    /// <inheritdoc/>
    public override bool IsInvalid => handle == 0;

    /// <summary>When it began, on a clock of the process; known once it has been waited for.</summary>
    public TimeSpan Began { get; private set; }

    /// <summary>When it ended, whether anybody waited for it then or not; as it began where NCCL carries it, which does not tell. Known once it has been waited for.</summary>
    public TimeSpan Ended { get; private set; }

    /// <summary>Waits for its end; once.</summary>
    /// <exception cref="TorchException">Another process is gone, or did not answer in time.</exception>
    public void Wait()
    {
        using (this)
        {
            _ = Check(esp_work_wait(this, out long began, out long ended));
            (Began, Ended) = (TimeSpan.FromTicks(began / TimeSpan.NanosecondsPerTick), TimeSpan.FromTicks(ended / TimeSpan.NanosecondsPerTick));
        }
    }

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        esp_work_free(handle);
        return true;
    }
}

/// <summary>For the marshaller.</summary>
internal sealed class GroupHandle() : SafeHandle(0, ownsHandle: true)
{
    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        esp_group_free(handle);
        return true;
    }
}
