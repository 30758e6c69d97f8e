using System.Globalization;
using System.Text.Json;
using Espalier.Torch;

namespace Espalier.Distributed;

/// <summary>
/// The processes that train one model, as seen by one of them. All call the same members in the same order. When one is gone, hangs or
/// fails, all others end, and one of them says which it was; so whatever runs on ranks runs inside <see cref="Guard"/>.
/// </summary>
public sealed class Ranks : IDisposable
{
    // How long a rank that has failed waits to hear of the others: longer than a sick network takes, shorter than a person's patience.
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);
    private const string ToldKey = "told", LeftKey = "left";

    private readonly ProcessStore? _store;
    private readonly ProcessGroup? _group;
    private readonly bool _firstServes;
    private readonly TimeSpan _timeout;
    private readonly string[] _hosts;
    private long? _step;
    private bool _isNamed, _hasFailed;
    private bool _storeIsGone;
    private int _silent, _said;

    private Ranks() => _hosts = [Environment.MachineName];

    private Ranks(LaunchedRank launched, ProcessStore store, ProcessGroup group, string[] hosts, TimeSpan timeout)
    {
        (_store, _group, _firstServes, _hosts, _timeout) = (store, group, launched.FirstServes, hosts, timeout);
        (Rank, Size, LocalRank) = (launched.Rank, launched.Size, launched.LocalRank);
    }

    /// <summary>How long one operation waits for the other ranks, if nobody says otherwise.</summary>
    public static TimeSpan DefaultTimeout { get; } = TimeSpan.FromMinutes(10);

    /// <summary>One process alone.</summary>
    public static Ranks Single { get; } = new();

    /// <summary>This process's number, from 0.</summary>
    public int Rank { get; }

    /// <summary>The number of processes.</summary>
    public int Size { get; } = 1;

    /// <summary>This process's number among those on its host.</summary>
    public int LocalRank { get; }

    /// <summary>Whether this is the process that writes files and speaks to people.</summary>
    public bool IsFirst => Rank == 0;

    /// <summary>Meets the other processes, and waits until all are there.</summary>
    /// <param name="launched">What the launcher said; null for one process alone.</param>
    /// <param name="timeout">How long to wait for them, now and in every operation.</param>
    /// <exception cref="UserErrorException">Some do not come, or the port is that of another run.</exception>
    public static Ranks Join(LaunchedRank? launched, TimeSpan timeout)
    {
        if (launched is null)
        {
            return Single;
        }

        if (!ProcessGroup.IsAvailable)
        {
            throw new UserErrorException(
                "This build of Espalier cannot train on several ranks: Gloo's headers were not there when it was built.",
                "Install libgloo-dev, delete build/native and build again, on every host.");
        }

        string place = string.Create(CultureInfo.InvariantCulture, $"{launched.Host}:{launched.Port}");
        ProcessStore? store = null;
        try
        {
            store = ProcessStore.Open(
                launched.Host, launched.Port, launched.FirstServes && launched.Rank == 0, $"espalier/{launched.Attempt}", timeout);
            if (store.Add($"joined/{launched.Rank}", 1) > 1)
            {
                throw new UserErrorException(
                    $"There is a rank {launched.Rank} at {place} already: another run uses that port.",
                    "Give each run its own: MASTER_PORT, or torchrun --rdzv-endpoint.");
            }

            store.Set($"host/{launched.Rank}", Environment.MachineName);
            string[] hosts = Hosts(store, launched.Size, place, timeout);
            ProcessGroup group = ProcessGroup.Join(store, launched.Rank, launched.Size, timeout);
            return new Ranks(launched, store, group, hosts, timeout);
        }
        catch (TorchException exception)
        {
            store?.Dispose();
            bool isTaken = exception.Message.Contains("in use", StringComparison.Ordinal);
            throw new UserErrorException(
                isTaken
                    ? $"Rank {launched.Rank} of {launched.Size} cannot open {place}, where the ranks meet: the port is in use."
                    : $"Rank {launched.Rank} of {launched.Size} could not meet the others at {place}: {FirstLine(exception)}",
                isTaken ? "Give each run its own: MASTER_PORT, or torchrun --rdzv-endpoint."
                    : "Rank 0 must run on that host, and its firewall must let the others in; GLOO_SOCKET_IFNAME names the network to use.",
                exception);
        }
        catch
        {
            store?.Dispose();
            throw;
        }
    }

    /// <summary>How messages call a rank: its number and its host.</summary>
    public string NameOf(int rank) => string.Create(CultureInfo.InvariantCulture, $"rank {rank} ({_hosts[rank]})");

    /// <summary>Tells which update is under way, for messages.</summary>
    internal void At(long step) => _step = step;

    /// <summary>Runs what all ranks do; of the errors that it may end with, one rank says one, and names the rank that it happened on.</summary>
    /// <exception cref="FailureElsewhereException">Another rank says what went wrong.</exception>
    public T Guard<T>(Func<T> body)
    {
        try
        {
            return body();
        }
        catch (Exception exception) when (Size > 1 && exception is not FailureElsewhereException)
        {
            _hasFailed = true;
            if (!TellsFirst())
            {
                throw new FailureElsewhereException(exception);
            }

            if (_isNamed || exception is not (UserErrorException or TorchException or IOException or UnauthorizedAccessException))
            {
                throw;
            }

            string where = NameOf(Rank) + (_step is long step ? string.Create(CultureInfo.InvariantCulture, $", step {step}") : "");
            throw new UserErrorException($"On {where}: {exception.Message}", (exception as UserErrorException)?.Hint, exception);
        }
    }

    /// <summary>Marks an error as one that all ranks come to alike, or that names its rank by itself.</summary>
    internal UserErrorException Agreed(UserErrorException error)
    {
        _isNamed = true;
        return error;
    }

    /// <summary>Sums numbers over the ranks, element by element, in place. Where one rank has a number and the others 0, it is exact.</summary>
    internal void Sum(double[] numbers)
    {
        if (_group is null)
        {
            return;
        }

        using var scope = new TensorScope();
        Tensor sent = Tensor.From<double>(numbers, [numbers.Length]);
        Wait(BeginSum([sent]));
        sent.ToArray<double>().CopyTo(numbers, 0);
    }

    /// <summary>Whether any rank says so.</summary>
    internal bool Any(bool here)
    {
        double[] count = [here ? 1 : 0];
        Sum(count);
        return count[0] > 0;
    }

    /// <summary>Waits until all ranks are here.</summary>
    internal void Meet() => Any(false);

    /// <summary>Begins to sum tensors of one type over the ranks, in place: the same bits on all, once it has been waited for.</summary>
    internal GroupWork BeginSum(IReadOnlyList<Tensor> tensors) => Try(() => _group!.AllReduce(tensors));

    /// <summary>Begins to sum tensors over the ranks, of which each rank receives its share.</summary>
    /// <inheritdoc cref="ProcessGroup.ReduceScatter"/>
    internal GroupWork BeginSharedSum(IReadOnlyList<Tensor> outputs, IReadOnlyList<Tensor> inputs, IReadOnlyList<long> sizes) =>
        Try(() => _group!.ReduceScatter(outputs, inputs, sizes));

    /// <summary>Begins to give all ranks the shares of all.</summary>
    /// <inheritdoc cref="ProcessGroup.AllGather"/>
    internal GroupWork BeginGather(IReadOnlyList<Tensor> outputs, IReadOnlyList<Tensor> inputs, IReadOnlyList<long> sizes) =>
        Try(() => _group!.AllGather(outputs, inputs, sizes));

    /// <summary>Something that the first rank says, and all others hear.</summary>
    internal string SaidByFirst(Func<string> said)
    {
        if (_store is null)
        {
            return said();
        }

        string key = string.Create(CultureInfo.InvariantCulture, $"said/{_said++}");
        if (IsFirst)
        {
            string own = said();
            return Try(() =>
            {
                _store.Set(key, own);
                return own;
            });
        }

        return Try(() => _store.Get(key));
    }

    /// <summary>Waits for what was begun.</summary>
    internal void Wait(GroupWork work) => Try(() =>
    {
        work.Wait();
        return work;
    });

    /// <summary>Makes sure that all ranks begin with the same.</summary>
    /// <param name="facts">What must be the same, by the name that a message gives it.</param>
    /// <exception cref="UserErrorException">Something differs; the message names it, and the ranks.</exception>
    internal void RequireSame(IReadOnlyDictionary<string, string> facts)
    {
        if (_store is null)
        {
            return;
        }

        List<string> differences = [];
        _ = Try(() =>
        {
            _store.Set($"facts/{Rank}", JsonSerializer.Serialize(facts));
            Dictionary<string, string> first = Facts(0);
            for (int rank = 1; rank < Size; rank++)
            {
                Dictionary<string, string> other = Facts(rank);
                differences.AddRange(
                    from name in first.Keys.Union(other.Keys)
                    let here = first.GetValueOrDefault(name, "none")
                    let there = other.GetValueOrDefault(name, "none")
                    where here != there
                    select $"{name}: {here} on {NameOf(0)}, {there} on {NameOf(rank)}");
            }

            return differences;
        });
        if (differences.Count > 0)
        {
            throw Agreed(new UserErrorException(
                "The ranks were not started alike:\n  " + string.Join("\n  ", differences),
                "Give all of them the same recipe, data, run folder and build of Espalier."));
        }

        Dictionary<string, string> Facts(int rank) => JsonSerializer.Deserialize<Dictionary<string, string>>(_store.Get($"facts/{rank}"))!;
    }

    /// <summary>Makes sure that a fingerprint is the same on all ranks.</summary>
    /// <exception cref="UserErrorException">It differs; the message names what, when and where.</exception>
    internal void RequireSame(string what, ulong fingerprint)
    {
        if (_group is null)
        {
            return;
        }

        // Halves are exact as doubles.
        var halves = new double[2 * Size];
        (halves[2 * Rank], halves[(2 * Rank) + 1]) = (fingerprint >> 32, (uint)fingerprint);
        Sum(halves);
        int[] others = [.. Enumerable.Range(1, Size - 1).Where(
            rank => (halves[2 * rank], halves[(2 * rank) + 1]) != (halves[0], halves[1]))];
        if (others.Length > 0)
        {
            throw Agreed(new UserErrorException(string.Create(
                CultureInfo.InvariantCulture,
                $"After step {_step} {what} of {string.Join(", ", others.Select(NameOf))} differ from those of {NameOf(0)}. Nothing was saved."),
                "Processors that differ, or damaged memory, may be why. The same command goes on from the last checkpoint."));
        }
    }

    /// <summary>Leaves the others. Rank 0 stays until those that have failed with it have heard why.</summary>
    public void Dispose()
    {
        if (_group is null || _store is null)
        {
            return;
        }

        _group.Dispose();
        try
        {
            if (_hasFailed)
            {
                _ = InTime(store => store.Add(LeftKey, 1));
                if (IsFirst && _firstServes)
                {
                    Await(() => InTime(store => store.Add(LeftKey, 0)) >= Size - _silent);
                }
            }
        }
        catch (TorchException)
        {
            // The store is gone: there is nobody left to tell.
        }

        _store.Dispose();
    }

    private static string[] Hosts(ProcessStore store, int size, string place, TimeSpan timeout)
    {
        int[] missing = Missing();
        long started = TimeProvider.System.GetTimestamp();
        while (missing.Length > 0)
        {
            if (TimeProvider.System.GetElapsedTime(started) > timeout)
            {
                throw new UserErrorException(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"Of {size} ranks, {string.Join(", ", missing)} did not come to {place} in {timeout.TotalSeconds:0} seconds."),
                    "See what those processes say. If there is only this one, start it without the launcher's variables.");
            }

            Thread.Sleep(Pause);
            missing = Missing();
        }

        return [.. Enumerable.Range(0, size).Select(rank => store.Get(Key(rank)))];

        int[] Missing() => [.. Enumerable.Range(0, size).Where(rank => !store.Has(Key(rank)))];

        string Key(int rank) => string.Create(CultureInfo.InvariantCulture, $"host/{rank}");
    }

    /// <summary>Whether this rank is the first to say that the run has failed.</summary>
    private bool TellsFirst()
    {
        try
        {
            return InTime(store => store.Add(ToldKey, 1)) == 1;
        }
        catch (TorchException)
        {
            // The store is gone with rank 0, so that ranks can no longer agree on who speaks: one of each host does.
            return LocalRank == 0 || Rank == 1;
        }
    }

    private T Try<T>(Func<T> operation)
    {
        try
        {
            return operation();
        }
        catch (TorchException exception)
        {
            throw Diagnose(exception);
        }
    }

    /// <summary>
    /// Says who is to blame for an operation that failed. Whoever still runs says so at the store, for its operation fails too: at once where a
    /// rank has died, for those that noticed leave the group, or when its own time is over.
    /// </summary>
    private Exception Diagnose(TorchException exception)
    {
        _hasFailed = true;
        _group!.Dispose();
        int[] silent;
        try
        {
            _ = InTime(store =>
            {
                store.Set(AliveKey(Rank), "");
                return 0;
            });
            Await(() => IsTold() || Silent().Length == 0);
            if (IsTold())
            {
                return new FailureElsewhereException(exception);
            }

            silent = Silent();
        }
        catch (TorchException)
        {
            // Rank 0 holds the store.
            silent = [0];
        }

        _silent = silent.Length;

        string step = _step is long number ? string.Create(CultureInfo.InvariantCulture, $" at step {number}") : "";
        return Agreed(silent.Length > 0
            ? new UserErrorException(
                $"The run stopped{step}: {string.Join(", ", silent.Select(NameOf))} died or did not answer.",
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"See what it said last, and the kernel's log for lack of memory; a rank that is only slow has {_timeout.TotalSeconds:0} seconds (--rank-timeout). ") +
                "The same command goes on from the last checkpoint.",
                exception)
            : new UserErrorException(
                $"The run stopped{step}: the ranks lost touch with each other, though all run: {FirstLine(exception)}",
                "Look at the network between them. The same command goes on from the last checkpoint.",
                exception));

        bool IsTold() => InTime(store => store.Has(ToldKey));

        int[] Silent() => [.. Enumerable.Range(0, Size).Where(rank => !InTime(store => store.Has(AliveKey(rank))))];

        static string AliveKey(int rank) => string.Create(CultureInfo.InvariantCulture, $"alive/{rank}");
    }

    /// <summary>
    /// Asks the store after a failure. Its host may hang, or lie behind a cut cable: then no answer comes, for as long as the network likes.
    /// </summary>
    /// <exception cref="TorchException">The store is gone, or does not answer.</exception>
    private T InTime<T>(Func<ProcessStore, T> question)
    {
        if (!_storeIsGone)
        {
            Task<T> answer = Task.Factory.StartNew(
                () => question(_store!), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
            if (Task.WaitAny([answer], Grace) == 0)
            {
                return answer.GetAwaiter().GetResult();
            }

            _storeIsGone = true;
        }

        throw new TorchException("The store does not answer.");
    }

    private static void Await(Func<bool> condition)
    {
        long started = TimeProvider.System.GetTimestamp();
        while (!condition() && TimeProvider.System.GetElapsedTime(started) < Grace)
        {
            Thread.Sleep(Pause);
        }
    }

    private static string FirstLine(Exception exception) => exception.Message.Split('\n')[0];
}
