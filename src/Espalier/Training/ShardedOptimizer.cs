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
                    [.. group.Shards.SelectMany(shard => Slots(whole, shard).Select(shard.Of))],
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

    /// <summary>Updates this rank's shares, and gives every rank the weights of all. What is updated travels while the next layer is.</summary>
    /// <param name="state">Its optimizer is dealt out.</param>
    /// <param name="ranks">The ranks.</param>
    /// <param name="trained">Whether a parameter has a gradient, on whatever rank.</param>
    /// <param name="own">This rank's part of one, with its gradient; null for none.</param>
    /// <param name="gradientScale">What every gradient is multiplied by on the way: clipping, and one over the targets.</param>
    /// <param name="rates">Of this update.</param>
    /// <returns>What the update rule's matrix products cost, on all ranks; how long the weights were under way.</returns>
    internal static (FlopsCount Cost, CommunicationTime Communication) Step(
        TrainingState state, Ranks ranks, Func<Parameter, bool> trained, Func<Parameter, Parameter?> own, double gradientScale, LearningRates rates)
    {
        using var noGrad = new NoGrad();
        using var under = new WorkUnderWay(ranks);
        var parameters = state.Model.Parameters.ToDictionary(parameter => parameter.Name);
        FlopsCount cost = default;
        foreach (ShardGroup group in state.Optimizer.Shards!.Groups)
        {
            Parameter[] updated = [.. group.Shards.Select(shard => parameters[shard.Parameter.Name]).Distinct().Where(trained)];
            if (updated.Length == 0)
            {
                continue;
            }

            using var scope = new TensorScope();
            cost += state.Optimizer.Rule.Step(updated, trained, own, state.Optimizer, gradientScale, rates);
            under.BeginGather(group.Of(Weights), [.. group.OfRank(ranks.Rank).Select(shard => shard.Of(Weights(shard.Parameter)))], group.Sizes(_ => 1));
        }

        return (cost, under.Wait());

        Tensor Weights(ParameterSpec parameter) => parameters[parameter.Name].Value.Detach();
    }
}
