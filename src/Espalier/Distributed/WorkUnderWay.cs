using Espalier.Torch;

namespace Espalier.Distributed;

/// <summary>What ranks send each other while the thread that begins it goes on. All ranks begin the same in the same order.</summary>
/// <param name="ranks">Several ranks.</param>
internal sealed class WorkUnderWay(Ranks ranks) : IDisposable
{
    // Large enough that the network's speed counts and not its latency, small enough to be no burden on memory. While so many, and so many bytes,
    // are under way the network is busy: to begin more would gain nothing.
    public const long BucketBytes = 32 << 20;
    public const int MostUnderWay = 2;

    // On a processor a copy costs what a sum costs: so large a tensor is sent where it lies. A GPU copies in no time, and its messages are better few.
    public const long AloneBytes = 1 << 20;

    private readonly Queue<(GroupWork Work, long Bytes)> _underWay = [];
    private long _bytes;
    private readonly List<(TimeSpan Began, TimeSpan Ended)> _spans = [];
    private TimeSpan _waited;

    /// <summary>Begins to sum tensors of one type, in place. They travel in buckets, and may be read when all has been waited for.</summary>
    public void BeginSum(IEnumerable<Tensor> tensors)
    {
        List<Tensor> bucket = [];
        long bytes = 0;
        foreach (Tensor tensor in tensors)
        {
            if (tensor.ByteLength >= AloneBytes && tensor.Device.Type == DeviceType.Cpu)
            {
                Begin(tensor.ByteLength, () => ranks.BeginSum([tensor]));
                continue;
            }

            bucket.Add(tensor);
            bytes += tensor.ByteLength;
            if (bytes >= BucketBytes)
            {
                Send();
            }
        }

        if (bucket.Count > 0)
        {
            Send();
        }

        void Send()
        {
            Begin(bytes, () => ranks.BeginSum(bucket));
            (bucket, bytes) = ([], 0);
        }
    }

    /// <summary>Begins to sum tensors, of which each rank receives its share.</summary>
    /// <inheritdoc cref="Torch.ProcessGroup.ReduceScatter"/>
    public void BeginSharedSum(IReadOnlyList<Tensor> outputs, IReadOnlyList<Tensor> inputs, IReadOnlyList<long> sizes) =>
        Begin(BytesOf(inputs), () => ranks.BeginSharedSum(outputs, inputs, sizes));

    /// <summary>Begins to give all ranks the shares of all.</summary>
    /// <inheritdoc cref="Torch.ProcessGroup.AllGather"/>
    public void BeginGather(IReadOnlyList<Tensor> outputs, IReadOnlyList<Tensor> inputs, IReadOnlyList<long> sizes) =>
        Begin(BytesOf(outputs), () => ranks.BeginGather(outputs, inputs, sizes));

    /// <summary>Waits for all.</summary>
    /// <returns>How long they took.</returns>
    public CommunicationTime Wait()
    {
        while (_underWay.Count > 0)
        {
            WaitForOldest();
        }

        // Several may be under way at once: such time counts once.
        TimeSpan time = default, until = TimeSpan.MinValue;
        foreach ((TimeSpan began, TimeSpan ended) in _spans.OrderBy(span => span.Began))
        {
            TimeSpan from = began > until ? began : until;
            time += ended > from ? ended - from : default;
            until = ended > until ? ended : until;
        }

        return new CommunicationTime(time.TotalSeconds, _waited.TotalSeconds);
    }

    /// <summary>Gives up what is still under way.</summary>
    public void Dispose()
    {
        while (_underWay.TryDequeue(out (GroupWork Work, long) first))
        {
            first.Work.Dispose();
        }
    }

    private void Begin(long bytes, Func<GroupWork> begin)
    {
        while (_underWay.Count >= MostUnderWay && _bytes >= MostUnderWay * BucketBytes)
        {
            WaitForOldest();
        }

        _underWay.Enqueue((begin(), bytes));
        _bytes += bytes;
    }

    private void WaitForOldest()
    {
        (GroupWork work, long bytes) = _underWay.Dequeue();
        _bytes -= bytes;
        long started = TimeProvider.System.GetTimestamp();
        ranks.Wait(work);

        // Between GPUs nobody tells.
        if (work.Ended > work.Began)
        {
            _waited += TimeProvider.System.GetElapsedTime(started);
            _spans.Add((work.Began, work.Ended));
        }
    }

    private static long BytesOf(IReadOnlyList<Tensor> tensors) => tensors.Sum(tensor => tensor.ByteLength);
}
