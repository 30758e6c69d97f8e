using static Espalier.Torch.Native;

namespace Espalier.Torch;

/// <content>Gradients.</content>
public sealed partial class Tensor
{
    /// <summary>Whether backward passes accumulate a gradient for this tensor.</summary>
    public bool RequiresGrad
    {
        get => esp_requires_grad(this) != 0;
        set => Check(esp_set_requires_grad(this, value ? 1 : 0));
    }

    /// <summary>The accumulated gradient, or null before the first backward pass. Another one may take its place, shaped like the tensor.</summary>
    public Tensor? Grad
    {
        get
        {
            Tensor gradient = Check(esp_grad(this));
            return esp_is_defined(gradient) != 0 ? gradient : null;
        }
        set => Check(esp_set_grad(this, value ?? None));
    }

    /// <summary>Adds the gradient of this scalar to every tensor that it depends on and that requires one.</summary>
    public void Backward() => Check(esp_backward(this, None));

    /// <summary>Carries a gradient of this tensor on to every tensor that it depends on and that requires one.</summary>
    /// <param name="gradient">Shaped like this tensor.</param>
    public void Backward(Tensor gradient) => Check(esp_backward(this, gradient));

    /// <summary>Drops the gradient, so that the next backward pass writes rather than adds.</summary>
    public void ClearGrad() => Grad = null;

    /// <summary>Gives a tensor that has no gradient one of zeros, as if a backward pass had found that it has no say.</summary>
    /// <returns>The gradient.</returns>
    public Tensor BeginGrad() => Check(esp_begin_grad(this));

    /// <summary>Adds the gradient, if there is one, to one that was set aside before; that is then the gradient again.</summary>
    /// <param name="earlier">Changes in place.</param>
    public void AddToEarlierGrad(Tensor earlier) => Check(esp_add_to_earlier_grad(this, earlier));

    /// <summary>The same elements outside of the gradient graph.</summary>
    public Tensor Detach() => Check(esp_detach(this));
}
