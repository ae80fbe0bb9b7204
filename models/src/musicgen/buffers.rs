//! Tensors that the decoder reads and writes step after step: in the host's memory and, where the graph runs elsewhere,
//! at a fixed address of the device too.

use std::fmt::Debug;

use ort::memory::{AllocationDevice, Allocator, AllocatorType, MemoryInfo, MemoryType};
use ort::session::Session;
use ort::value::{DynTensor, PrimitiveTensorElementType, Tensor, TensorElementType};

use crate::runtime::Provider;

/// Memory of a session: the host's, and the device's if the graph does not run on the processor.
pub(super) struct Memory<'session> {
    host: &'session Allocator,
    device: Option<Allocator>,
}

impl<'session> Memory<'session> {
    pub fn of(session: &'session Session, provider: Provider) -> ort::Result<Self> {
        let allocate = |device| -> ort::Result<Allocator> {
            let memory = MemoryInfo::new(device, 0, AllocatorType::Device, MemoryType::Default)?;
            Allocator::new(session, memory)
        };
        let device = match provider {
            Provider::Cpu => None,
            Provider::Cuda => Some(allocate(AllocationDevice::CUDA)?),
            Provider::DirectMl => Some(allocate(AllocationDevice::DIRECTML)?),
        };
        Ok(Self { host: session.allocator(), device })
    }

    /// A tensor that only the host reads.
    pub fn of_host<T: PrimitiveTensorElementType + Debug>(&self, shape: &[usize]) -> ort::Result<Tensor<T>> {
        Tensor::new(self.host, shape)
    }

    /// A tensor that only the graph reads and writes.
    pub fn of_graph(&self, element: TensorElementType, shape: &[usize]) -> ort::Result<DynTensor> {
        DynTensor::new(self.device.as_ref().unwrap_or(self.host), element, shape)
    }

    /// A tensor that both read or write.
    pub fn shared<T: PrimitiveTensorElementType + Debug>(&self, shape: &[usize]) -> ort::Result<Shared<T>> {
        let host = self.of_host(shape)?;
        let device = self.device.as_ref().map(|device| Tensor::new(device, shape)).transpose()?;
        Ok(Shared { host, device })
    }

    /// `values` where the graph reads them.
    pub fn placed(&self, values: DynTensor) -> ort::Result<DynTensor> {
        let Some(device) = &self.device else { return Ok(values) };
        let memory = device.memory_info();
        values.to(memory.allocation_device(), memory.device_id())
    }
}

/// A tensor that the host and the graph take turns with.
#[derive(Debug)]
pub(super) struct Shared<T: PrimitiveTensorElementType + Debug> {
    host: Tensor<T>,
    device: Option<Tensor<T>>,
}

impl<T: PrimitiveTensorElementType + Debug> Shared<T> {
    /// What to bind.
    pub fn bound(&self) -> &Tensor<T> {
        self.device.as_ref().unwrap_or(&self.host)
    }

    /// What to bind as an output.
    pub fn bound_mut(&mut self) -> &mut Tensor<T> {
        self.device.as_mut().unwrap_or(&mut self.host)
    }

    /// The host's values: those written last, or those of the last [`download`](Self::download).
    pub fn values(&self) -> &[T] {
        self.host.extract_tensor().1
    }

    /// The host's values, to be written; the graph sees them after [`upload`](Self::upload).
    pub fn values_mut(&mut self) -> &mut [T] {
        self.host.extract_tensor_mut().1
    }

    /// Hands the host's values to the graph.
    pub fn upload(&mut self) -> ort::Result<()> {
        match &mut self.device {
            Some(device) => self.host.copy_into(device),
            None => Ok(()),
        }
    }

    /// Fetches the graph's values.
    pub fn download(&mut self) -> ort::Result<()> {
        match &self.device {
            Some(device) => device.copy_into(&mut self.host),
            None => Ok(()),
        }
    }
}
