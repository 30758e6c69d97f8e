using Espalier.Distributed;
using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Torch;

namespace Espalier.Training;

/// <summary>An optimizer of which each rank remembers its share (ZeRO-1, arXiv 1910.02054): dealt out, put together again, and its updates sent round.</summary>
public static class ShardedOptimizer
{
    /// <summary>A state of which this rank remembers its share: <see cref="TrainingStep"/> with the same ranks then updates that, and sends it round.</summary>
    /// <param name="state">Whole, the same on all ranks; it is used up.</param>
    /// <param name="ranks">The ranks.</param>
    public static TrainingState Deal(TrainingState state, Ranks ranks)
    {
        ArgumentNullException.ThrowIfNull(state);
        ArgumentNullException.ThrowIfNull(ranks);
        using IDisposable _ = TensorScope.Suspend();
        OptimizerState whole = state.Optimizer;
        var shards = new OptimizerShards(state.Model.Parameters.Select(parameter => parameter.Spec), whole.Rule, ranks.Size);
        var dealt = new OptimizerState(whole.Rule, whole.Select(pair => KeyValuePair.Create(pair.Key, Deal(pair.Value, shards.Of(pair.Key, ranks.Rank)))))
        {
            Shards = shards,
        };
        return new TrainingState(state.Model, dealt, state.Position);
    }

    /// <summary>Of what is remembered of a parameter, this rank's share.</summary>
    /// <param name="whole">It is used up.</param>
    /// <param name="shard">The share; null for none.</param>
    internal static ParameterState Deal(ParameterState whole, Shard? shard)
    {
        using ParameterState _ = whole;
        return new ParameterState(
            shard is null ? new Dictionary<string, Slot>()
                : whole.Slots.ToDictionary(slot => slot.Key, slot => slot.Value with { Value = Copy(slot.Value.Value) }),
            whole.Steps)
        {
            New = whole.New,
        };

        Tensor Copy(Tensor slot)
        {
            using var scope = new TensorScope();
            return scope.Keep(shard!.Of(slot.Reshape(-1)).Clone());
        }
    }

    /// <summary>A state whose optimizer is whole on every rank, as growth needs it.</summary>
    /// <param name="state">It is used up.</param>
    /// <param name="ranks">The ranks that it is dealt out over, if it is; all of them call this.</param>
    public static TrainingState Gather(TrainingState state, Ranks ranks)
    {
        ArgumentNullException.ThrowIfNull(state);
        OptimizerState dealt = state.Optimizer;
        if (dealt.Shards is not OptimizerShards shards)
        {
            return state;
        }

        using IDisposable _ = TensorScope.Suspend();
        IOptimizer rule = dealt.Rule;
        var whole = new OptimizerState(rule, state.Model.Parameters.Select(parameter => KeyValuePair.Create(
            parameter.Name,
            new ParameterState(ParameterState.Begin(rule, parameter.Spec, parameter.Value.Device).Slots, dealt[parameter.Name].Steps)
            {
                New = dealt[parameter.Name].New,
            })));
        using (var under = new WorkUnderWay(ranks))
        {
            foreach (ShardGroup group in shards.Groups)
            {
                using var scope = new TensorScope();
                under.BeginGather(
                    [.. group.Shards.SelectMany(shard => Slots(whole, shard).Select(slot => shard.Of(slot)))],
                    [.. group.OfRank(ranks.Rank).SelectMany(shard => Slots(dealt, shard))],
                    group.Sizes(parameter => rule.Slots(parameter).Count));
            }

            under.Wait();
        }

        dealt.Dispose();
        return new TrainingState(state.Model, whole, state.Position);

        static IEnumerable<Tensor> Slots(OptimizerState state, Shard shard) =>
            state[shard.Parameter.Name].Slots.OrderBy(slot => slot.Key, StringComparer.Ordinal).Select(slot => slot.Value.Value);
    }

    /// <summary>Gives every rank the weights that each has updated.</summary>
    /// <param name="model">The model.</param>
    /// <param name="shards">Which those are.</param>
    /// <param name="ranks">The ranks.</param>
    /// <param name="trained">Whether a parameter has been updated, on whatever rank.</param>
    /// <returns>How long that took.</returns>
    internal static CommunicationTime SendWeights(Model model, OptimizerShards shards, Ranks ranks, Func<Parameter, bool> trained)
    {
        HashSet<string> updated = [.. model.Parameters.Where(trained).Select(parameter => parameter.Name)];
        using var noGrad = new NoGrad();
        using var under = new WorkUnderWay(ranks);
        foreach (ShardGroup group in shards.Groups.Where(group => group.Shards.Any(shard => updated.Contains(shard.Parameter.Name))))
        {
            using var scope = new TensorScope();
            under.BeginGather(
                [.. group.Shards.Select(Weights)],
                [.. group.OfRank(ranks.Rank).Select(Weights)],
                group.Sizes(_ => 1));
        }

        return under.Wait();

        Tensor Weights(Shard shard) => shard.Of(model.Parameters.Find(shard.Parameter.Layer, shard.Parameter.Role)!.Detach());
    }
}
