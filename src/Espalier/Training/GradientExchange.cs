using Espalier.Distributed;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Torch;

namespace Espalier.Training;

/// <summary>
/// The gradients of one update on their way between the ranks: those of a stored layer leave when they are final on this rank, while the layers
/// below still compute. Whatever its plans execute, each rank sends the layers from above, last what lies outside of them.
/// </summary>
internal sealed class GradientExchange : IDisposable
{
    private readonly Ranks _ranks;
    private readonly ParameterSet _parameters;
    private readonly OptimizerShards? _shards;
    private readonly WorkUnderWay _work;
    private readonly Queue<int?> _toSend;
    private readonly List<int?> _final = [];
    private readonly HashSet<string> _had = [];

    // The sums of this rank's share, by parameter.
    private readonly Dictionary<string, Tensor> _own = [];

    /// <summary>Gradients of which none is final yet.</summary>
    /// <param name="ranks">Several ranks.</param>
    /// <param name="model">What they train.</param>
    /// <param name="plans">Of all micro-batches on all ranks: what none of them trains is not sent.</param>
    /// <param name="shards">What each rank updates, and needs the sums of; null where each updates all.</param>
    public GradientExchange(Ranks ranks, Model model, IReadOnlyList<ForwardPlan> plans, OptimizerShards? shards)
    {
        (_ranks, _parameters, _shards, _work) = (ranks, model.Parameters, shards, new WorkUnderWay(ranks));
        HashSet<int> trained = [.. plans.SelectMany(plan => plan.Layers).Where(run => run.Trains).Select(run => run.Stored)];
        _toSend = new Queue<int?>(trained.OrderDescending().Select(layer => (int?)layer));
        if (plans.Any(plan => plan.TrainsRest))
        {
            _toSend.Enqueue(null);
        }
    }

    /// <summary>Whether this rank had a gradient of a parameter, and not only zeros to send.</summary>
    public bool Had(Parameter parameter) => _had.Contains(parameter.Name);

    /// <summary>Hears that this rank adds nothing more to the gradients of a layer; null: of what lies outside of the layers.</summary>
    public void Final(int? layer)
    {
        _final.Add(layer);
        while (_toSend.TryPeek(out int? next) && _final.Contains(next))
        {
            Send(_toSend.Dequeue());
        }
    }

    /// <summary>Waits until all gradients that this rank needs are the sums over the ranks.</summary>
    /// <returns>How long that took.</returns>
    public CommunicationTime Wait() => _work.Wait();

    /// <summary>The sum of squares of this rank's share of the gradients; 0 where ranks have no shares.</summary>
    public double OwnSquares() => _own.Count == 0 ? 0 : Math.Pow(Optimizers.GlobalNorm([.. _own.Values]), 2);

    /// <summary>This rank's part of a parameter, with the gradient that it is updated by; null for none.</summary>
    /// <param name="parameter">It has a gradient, on whatever rank, and ranks have shares.</param>
    public Parameter? Own(Parameter parameter)
    {
        if (_shards!.Of(parameter.Name, _ranks.Rank) is not Shard shard)
        {
            return null;
        }

        Parameter own = shard.IsWhole ? parameter : parameter with { Value = shard.Of(parameter.Value.Detach()), Part = shard.Slice };
        own.Value.Grad = _own[parameter.Name];
        return own;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _work.Dispose();
        foreach (Tensor sum in _own.Values)
        {
            sum.Dispose();
        }
    }

    private void Send(int? layer)
    {
        using var scope = new TensorScope();
        Dictionary<string, Tensor> gradients = [];
        foreach (Parameter parameter in _parameters.Where(parameter => parameter.Spec.Layer == layer))
        {
            if (parameter.Value.Grad is Tensor gradient)
            {
                _had.Add(parameter.Name);
                gradients.Add(parameter.Name, gradient);
            }
            else
            {
                gradients.Add(parameter.Name, parameter.Value.BeginGrad());
            }
        }

        if (_shards is null)
        {
            _work.BeginSum(gradients.Values);
        }
        else
        {
            foreach (ShardGroup group in _shards.Groups.Where(group => group.Layer == layer))
            {
                SendShares(group, gradients);
            }
        }
    }

    private void SendShares(ShardGroup group, Dictionary<string, Tensor> gradients)
    {
        List<Tensor> own = [];
        foreach (Shard shard in group.OfRank(_ranks.Rank))
        {
            using IDisposable outlive = TensorScope.Suspend();
            Tensor sum = Tensor.Empty(shard.Shape, gradients[shard.Parameter.Name].Type, gradients[shard.Parameter.Name].Device);
            own.Add(sum);
            _own.Add(shard.Parameter.Name, sum);
        }

        _work.BeginSharedSum(own, group.Of(parameter => gradients[parameter.Name].Reshape(-1)), group.Sizes(_ => 1));

        // They are on their way; what comes back is this rank's share alone.
        foreach (Shard shard in group.Shards)
        {
            _parameters.Find(shard.Parameter.Layer, shard.Parameter.Role)!.ClearGrad();
        }
    }
}
