"use strict";

// Perfect negotiation, as in negotiation.py: the same names, the same order.

class Negotiation {
  makingOffer = false;
  settingAnswer = false;
  ignoringOffer = false;

  constructor(pc, send, { polite }) {
    Object.assign(this, { pc, send, polite });
    pc.onnegotiationneeded = () => this.negotiate();
    pc.onicecandidate = ({ candidate }) => {
      if (candidate !== null) send({ candidate });
    };
  }

  async negotiate() {
    this.makingOffer = true;
    try {
      await this.pc.setLocalDescription();
    } finally {
      this.makingOffer = false;
    }
    this.sendDescription();
  }

  sendDescription() {
    this.send({ description: this.pc.localDescription });
  }

  async receive({ description, candidate }) {
    if (description) {
      await this.receiveDescription(description);
    } else if (candidate) {
      try {
        await this.pc.addIceCandidate(candidate);
      } catch (error) {
        // Such as one of an offer that was taken back, which came late.
        if (!this.ignoringOffer) console.warn(`A candidate was refused: ${error}`);
      }
    }
  }

  async receiveDescription(description) {
    const isOffer = description.type === "offer";
    const stable = this.pc.signalingState === "stable" || this.settingAnswer;
    this.ignoringOffer = isOffer && !this.polite && (this.makingOffer || !stable);
    if (this.ignoringOffer) return;
    this.settingAnswer = !isOffer;
    try {
      await this.pc.setRemoteDescription(description);
    } finally {
      this.settingAnswer = false;
    }
    if (isOffer) {
      await this.pc.setLocalDescription();
      this.sendDescription();
    }
  }
}
