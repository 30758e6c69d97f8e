using Espalier.Distributed;
using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Training;

/// <summary>
/// The gradients of one update on their way between the ranks: those of a stored layer leave when they are final on this rank, while the layers
/// below still compute. Whatever its plans execute, each rank sends the layers from above, last what lies outside of them.
/// </summary>
internal sealed class GradientExchange : IDisposable
{
    private readonly ParameterSet _parameters;
    private readonly SumsUnderWay _sums;
    private readonly Queue<int?> _toSend;
    private readonly List<int?> _final = [];
    private readonly HashSet<string> _had = [];

    /// <summary>Gradients of which none is final yet.</summary>
    /// <param name="ranks">Several ranks.</param>
    /// <param name="model">What they train.</param>
    /// <param name="plans">Of all micro-batches on all ranks: what none of them trains is not sent.</param>
    public GradientExchange(Ranks ranks, Model model, IReadOnlyList<ForwardPlan> plans)
    {
        (_parameters, _sums) = (model.Parameters, new SumsUnderWay(ranks));
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

    /// <summary>Waits until all gradients are the sums over the ranks.</summary>
    /// <returns>How long that took.</returns>
    public CommunicationTime Wait() => _sums.Wait();

    /// <inheritdoc/>
    public void Dispose() => _sums.Dispose();

    private void Send(int? layer)
    {
        using var scope = new TensorScope();
        List<Tensor> gradients = [];
        foreach (Parameter parameter in _parameters.Where(parameter => parameter.Spec.Layer == layer))
        {
            if (parameter.Value.Grad is Tensor gradient)
            {
                _had.Add(parameter.Name);
                gradients.Add(gradient);
            }
            else
            {
                gradients.Add(parameter.Value.BeginGrad());
            }
        }

        _sums.Begin(gradients);
    }
}
