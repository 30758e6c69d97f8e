using Espalier.Torch;

namespace Espalier.Models;

/// <summary>
/// The way back through a plan, part by part: embedding, each executed layer, what follows them. <see cref="ForwardPass"/> cuts the gradient
/// graph where a part ends, so that each part is a graph of its own. Gradients are those of one graph, bit for bit; but here it is known when
/// that of a stored layer is final: after its first execution, which comes last.
/// </summary>
/// <param name="model">The model.</param>
/// <param name="plan">What runs forward.</param>
/// <param name="recomputing">
/// Where layers are recomputed, by what they compute: they then keep only what they read, run again on the way back and drop out alike. Null
/// where they keep all that they need.
/// </param>
internal sealed class BackwardPass(Model model, ForwardPlan plan, Compute? recomputing = null) : IDisposable
{
    private readonly Stack<Part> _parts = [];

    /// <summary>Runs the first part.</summary>
    /// <returns>What it makes, as the next part is to read it.</returns>
    public Tensor Begin(Func<Tensor> part)
    {
        using IDisposable outlive = TensorScope.Suspend();
        return Whole(null, part);
    }

    /// <summary>Runs the next part.</summary>
    /// <param name="x">What the part before made.</param>
    /// <param name="run">The execution of a layer that it is; null for what lies outside of the layers.</param>
    /// <param name="part">What it does.</param>
    /// <returns>What it makes, as the next part is to read it.</returns>
    public Tensor Then(Tensor x, LayerRun? run, Func<Tensor, Tensor> part)
    {
        // What the parts made stays until the way back, whatever scope they run in.
        using IDisposable outlive = TensorScope.Suspend();
        return run is not null && recomputing is not null ? ToRecompute(x, run, recomputing, Body) : Whole(run, Body);

        Tensor Body()
        {
            // A layer may give back what it reads.
            Tensor made = part(x);
            return ReferenceEquals(made, x) ? x.Reshape(x.Shape) : made;
        }
    }

    /// <summary>Adds the gradient of a loss to that of every parameter that trains; once.</summary>
    /// <param name="loss">What <see cref="ForwardPass"/> made of the last part.</param>
    /// <param name="isFinal">
    /// Hears of each stored layer, as soon as this pass adds nothing more to its gradient; and at the end of null, for all that lies outside of the
    /// layers. A layer that the plan does not execute it hears of first of all.
    /// </param>
    public void Run(Tensor loss, Action<int?>? isFinal = null)
    {
        using var all = new TensorScope();
        var earlier = EarlierGradients();
        int[] runsLeft = new int[model.Config.Layers];
        foreach (int stored in plan.StoredLayers)
        {
            runsLeft[stored]++;
        }

        foreach (int stored in Enumerable.Range(0, runsLeft.Length).Where(stored => runsLeft[stored] == 0))
        {
            isFinal?.Invoke(stored);
        }

        loss.Backward();
        while (_parts.TryPop(out Part? part))
        {
            using (part)
            using (new TensorScope())
            {
                if (part.Next.Grad is Tensor gradient)
                {
                    // Its values have been read; its gradient stays.
                    part.Next.Dispose();
                    part.Made().Backward(gradient);
                }
            }

            if (part.Run is LayerRun run && --runsLeft[run.Stored] == 0)
            {
                Finish(run.Stored);
            }
        }

        Finish(null);

        void Finish(int? layer)
        {
            foreach ((Tensor parameter, Tensor gradient) in earlier[layer])
            {
                parameter.AddToEarlierGrad(gradient);
            }

            isFinal?.Invoke(layer);
        }
    }

    /// <summary>Frees what is left of a pass that did not come to its end.</summary>
    public void Dispose()
    {
        while (_parts.TryPop(out Part? part))
        {
            part.Dispose();
        }
    }

    /// <summary>
    /// The gradients of earlier passes, by layer, where several parts add to one in this pass: set aside until the sum of the parts is
    /// there. One by one onto the old gradient they would round otherwise than the sum.
    /// </summary>
    private ILookup<int?, (Tensor Parameter, Tensor Gradient)> EarlierGradients()
    {
        var several = plan.StoredLayers.GroupBy(stored => stored).Where(runs => runs.Skip(1).Any()).Select(runs => (int?)runs.Key)
            .Append(null).ToHashSet();
        List<(int? Layer, Tensor Parameter, Tensor Gradient)> earlier = [];
        foreach (Parameter parameter in model.Parameters)
        {
            if (several.Contains(parameter.Spec.Layer) && parameter.Value.Grad is Tensor gradient)
            {
                earlier.Add((parameter.Spec.Layer, parameter.Value, gradient));
                parameter.Value.ClearGrad();
            }
        }

        return earlier.ToLookup(entry => entry.Layer, entry => (entry.Parameter, entry.Gradient));
    }

    /// <summary>Runs a part with its graph.</summary>
    private Tensor Whole(LayerRun? run, Func<Tensor> body)
    {
        Tensor made = ForwardPass.Scoped(body), next = made.Detach();
        next.RequiresGrad = made.RequiresGrad;
        _parts.Push(new Part(run, next, () => made, made));
        return next;
    }

    /// <summary>Runs a layer without its graph, which is made on the way back.</summary>
    private Tensor ToRecompute(Tensor x, LayerRun run, Compute compute, Func<Tensor> body)
    {
        Tensor random = Engine.RandomState(compute.Device), next;
        using (new NoGrad())
        using (Tensor made = ForwardPass.Scoped(body))
        {
            next = made.Detach();
        }

        next.RequiresGrad = x.RequiresGrad || run.Trains;
        _parts.Push(new Part(run, next, Again, random));
        return next;

        Tensor Again()
        {
            Engine.SetRandomState(random, compute.Device);

            // Of its own: lowered weights that were made without a graph have no gradient.
            using Autocast? autocast = compute.LowerProducts();
            return ForwardPass.Scoped(body);
        }
    }

    /// <summary>A part that has run.</summary>
    /// <param name="Run">The execution of a layer that it is, if it is one.</param>
    /// <param name="Next">What it made, at the beginning of the next part's graph.</param>
    /// <param name="Made">Gives what it made, at the end of its own graph.</param>
    /// <param name="Kept">What that takes.</param>
    private sealed record Part(LayerRun? Run, Tensor Next, Func<Tensor> Made, Tensor Kept) : IDisposable
    {
        public void Dispose()
        {
            Next.Dispose();
            Kept.Dispose();
        }
    }
}
