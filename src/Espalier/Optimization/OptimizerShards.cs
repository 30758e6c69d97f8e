using Espalier.Distributed;
using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Optimization;

/// <summary>
/// How ranks share out what an optimizer remembers (ZeRO-1, arXiv 1910.02054). Of each large parameter that is updated element by element, and
/// of the small ones of a layer, laid end to end, each rank has an equal piece; each other parameter goes whole to the rank that has least of such.
/// </summary>
internal sealed class OptimizerShards
{
    /// <summary>
    /// Parameters are cut at multiples of so many elements: by blocks of as many the norm of a gradient is added up, so that it is the
    /// same for the pieces as for the whole.
    /// </summary>
    public const long Grain = 4096;

    // So large a parameter is sent by itself.
    private const long Large = WorkUnderWay.AloneBytes / sizeof(float);

    private readonly Dictionary<(string Parameter, int Rank), Shard> _shards = [];

    /// <summary>Those of a model's parameters.</summary>
    /// <param name="parameters">Its parameters.</param>
    /// <param name="rule">Says which of them are updated element by element.</param>
    /// <param name="ranks">N.</param>
    public OptimizerShards(IEnumerable<ParameterSpec> parameters, IOptimizer rule, int ranks)
    {
        Ranks = ranks;
        var whole = new long[ranks];
        Groups =
        [
            .. parameters.GroupBy(parameter => (parameter.Layer, Alone: parameter.Elements >= Large ? parameter : null)).Select(group => new ShardGroup(
                group.Key.Layer, [.. Pieces(group, rule, ranks).Concat(Whole(group, rule, whole)).OrderBy(shard => shard.Rank)], ranks)),
        ];
        foreach (Shard shard in Groups.SelectMany(group => group.Shards))
        {
            _shards.Add((shard.Parameter.Name, shard.Rank), shard);
        }
    }

    /// <summary>N.</summary>
    public int Ranks { get; }

    /// <summary>One for each large parameter, one for the small ones of each layer, and one for those outside of the layers: each is sent at a time.</summary>
    public IReadOnlyList<ShardGroup> Groups { get; }

    /// <summary>What a rank has of a parameter; null for nothing.</summary>
    public Shard? Of(string parameter, int rank) => _shards.GetValueOrDefault((parameter, rank));

    private static IEnumerable<Shard> Pieces(IEnumerable<ParameterSpec> group, IOptimizer rule, int ranks)
    {
        ParameterSpec[] shared = [.. group.Where(rule.IsElementwise)];
        long all = shared.Sum(parameter => parameter.Elements), begin = 0;
        foreach (ParameterSpec parameter in shared)
        {
            long size = parameter.Elements;
            for (int rank = 0; rank < ranks; rank++)
            {
                long from = CutBefore(rank, size), to = CutBefore(rank + 1, size);
                if (from < to)
                {
                    yield return new Shard(parameter, rank, new Slice(from, to - from), IsWhole: false);
                }
            }

            begin += size;
        }

        long CutBefore(int rank, long size)
        {
            long cut = Math.Clamp((long)((Int128)all * rank / ranks) - begin, 0, size);
            return cut == size ? size : cut - (cut % Grain);
        }
    }

    private static IEnumerable<Shard> Whole(IEnumerable<ParameterSpec> group, IOptimizer rule, long[] shares)
    {
        foreach (ParameterSpec parameter in group.Where(parameter => !rule.IsElementwise(parameter)).OrderByDescending(parameter => parameter.Elements))
        {
            int least = Array.IndexOf(shares, shares.Min());
            shares[least] += parameter.Elements;
            yield return new Shard(parameter, least, new Slice(0, parameter.Elements), IsWhole: true);
        }
    }
}

/// <summary>What is sent at a time, in the order of the ranks.</summary>
/// <param name="Layer">The layer, or null for what lies outside of the layers.</param>
/// <param name="Shards">In the order of the ranks.</param>
/// <param name="Ranks">N.</param>
internal sealed record ShardGroup(int? Layer, IReadOnlyList<Shard> Shards, int Ranks)
{
    /// <summary>The elements of each rank's shards; of each of them some numbers may be sent.</summary>
    /// <param name="numbers">Of an element of a parameter.</param>
    public IReadOnlyList<long> Sizes(Func<ParameterSpec, int> numbers) =>
    [
        .. Enumerable.Range(0, Ranks).Select(rank => OfRank(rank).Sum(shard => shard.Slice.Length * numbers(shard.Parameter))),
    ];

    /// <summary>The shards of all ranks in tensors, one behind the other: a parameter that is alone lies so already.</summary>
    /// <param name="tensor">Gives what is like a parameter, contiguous.</param>
    public IReadOnlyList<Tensor> Of(Func<ParameterSpec, Tensor> tensor) => Shards.DistinctBy(shard => shard.Parameter.Name).Skip(1).Any()
        ? [.. Shards.Select(shard => shard.Of(tensor(shard.Parameter)))]
        : [tensor(Shards[0].Parameter)];

    /// <summary>The shards of a rank.</summary>
    public IEnumerable<Shard> OfRank(int rank) => Shards.Where(shard => shard.Rank == rank);
}

/// <summary>What a rank has of a parameter.</summary>
/// <param name="Parameter">The parameter.</param>
/// <param name="Rank">The rank.</param>
/// <param name="Slice">The elements.</param>
/// <param name="IsWhole">Whether they are all, and keep their shape.</param>
internal sealed record Shard(ParameterSpec Parameter, int Rank, Slice Slice, bool IsWhole)
{
    /// <summary>The shard of a tensor, in its own memory: flat (S), or as the whole parameter is shaped.</summary>
    /// <param name="tensor">Of as many elements as the parameter, contiguous.</param>
    public Tensor Of(Tensor tensor) => IsWhole ? tensor.View(Parameter.Shape) : Slice.Of(tensor);

    /// <summary>Its shape.</summary>
    public long[] Shape => IsWhole ? Parameter.Shape : [Slice.Length];
}
